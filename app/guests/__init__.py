"""The built-in guests, to read."""
