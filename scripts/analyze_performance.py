"""`lan-hil history`: the trend of every quantity, and where it stepped.

The same options and exit codes.
"""

from __future__ import annotations

import sys

from pytest_lan_hil.cli import main

if __name__ == "__main__":
    main(["history", *sys.argv[1:]])
