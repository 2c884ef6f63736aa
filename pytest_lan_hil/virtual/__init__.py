"""The virtual bench: reaches the harness only through library seams, imported by nothing."""
