"""The HTTP side: the API address, the control surface, the pages, and how to start them."""
