"""`lan-hil baseline update`: a better firmware into the baseline, if nothing got worse.

The same options and exit codes.
"""

from __future__ import annotations

import sys

from pytest_lan_hil.cli import main

if __name__ == "__main__":
    main(["baseline", "update", *sys.argv[1:]])
