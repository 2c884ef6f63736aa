"""Capture to windows to measurements. Pure numerics: no I/O, no clock, no pytest."""
