"""The texts of the labs, to read beside their machines."""
