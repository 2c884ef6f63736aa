"""Sinks: places that a run record is published to."""
