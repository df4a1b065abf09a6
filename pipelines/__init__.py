"""WHAT MOVES. Prefect flows, thin, and the clients for the outside world."""
