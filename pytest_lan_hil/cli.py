"""The shell face of pytest-lan-hil."""


def main() -> None:
    """Entry point of `lan-hil`."""
