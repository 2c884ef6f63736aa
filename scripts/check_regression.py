"""`lan-hil baseline check`: is the newest firmware worse than the baseline?

The same options and exit codes.
"""

from __future__ import annotations

import sys

from pytest_lan_hil.cli import main

if __name__ == "__main__":
    main(["baseline", "check", *sys.argv[1:]])
