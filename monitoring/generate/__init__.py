"""Generators of committed files, from the quantity table."""
