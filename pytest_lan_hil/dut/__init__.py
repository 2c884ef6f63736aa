"""The device under test: probe (pyOCD), console (pyserial), protocol grammar, firmware images."""
