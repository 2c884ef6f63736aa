"""The pytest face of pytest-lan-hil."""
