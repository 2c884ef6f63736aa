"""`python -m benchmarks [NAME ...]`: run the benchmarks named, or all but the long ones; print their table.

Exit code 1 if a bar is missed: the machine may be busy, so CI prints it and does not run this as a test.
"""

from __future__ import annotations

import importlib
import sys

from benchmarks.table import lines

NAMES = (
    "overhead",
    "virtual_speed",
    "flash",
    "capture",
    "analysis",
    "coverage",
    "stream",
    "kernels",
    "metrics",
    "custom_metrics",
    "ledger",
    "baseline",
    "compare",
    "verdicts",
    "exporter",
)
# Minutes each: only when named.
LONG = ("planted", "fleet")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in NAMES + LONG]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(NAMES + LONG)}", file=sys.stderr)
        return 2
    missed = False
    for name in names or NAMES:
        rows = importlib.import_module(f"benchmarks.bench_{name}").run()
        print("\n".join(lines(rows)), flush=True)
        missed = missed or not all(row.clears for row in rows)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
