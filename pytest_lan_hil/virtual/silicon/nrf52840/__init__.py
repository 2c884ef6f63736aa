"""The Nordic nRF52840: one module per family of peripherals, `chip` puts them together."""
