"""datamodel."""
