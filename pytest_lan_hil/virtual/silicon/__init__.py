"""Emulated chips: core, cycles, power states, one module per chip."""
