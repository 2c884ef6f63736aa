"""Measurement to verdict."""
