"""Lines of the firmware's C code that the tests on this host reached, a table by file.

    python tests/coverage.py FOLDER --at-least PERCENT

FOLDER holds, at any depth, what gcc's --coverage left: .gcno files from compiling and .gcda files from
running. A source that was compiled twice counts once: a line is reached if it is in either. Standard library
only; needs gcov. Exit code 1 if the share of lines is too low, 2 if there is nothing to count.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parents[1]
COUNTED = ("common", "desktop")
# What no host can run, and what runs it instead.
ELSEWHERE = (
    (
        "cortex_m4/, nrf52840/, stm32f412/",
        "tests/unit/firmware/test_firmware_on_chip.py, tests/bench, tests/hil",
    ),
    ("kernels/", "python -m benchmarks kernels"),
)


def counts_of(notes: Path) -> dict[Path, dict[int, int]]:
    """How often each line of each source behind a .gcno file ran."""
    command = ["gcov", "--json-format", "--stdout", notes.name]
    done = subprocess.run(command, cwd=notes.parent, check=True, capture_output=True, text=True)
    found: dict[Path, dict[int, int]] = {}
    for document in filter(None, done.stdout.splitlines()):
        report = json.loads(document)
        for file in report["files"]:
            path = (Path(report["current_working_directory"]) / file["file"]).resolve()
            lines = found.setdefault(path, {})
            for line in file["lines"]:
                lines[line["line_number"]] = lines.get(line["line_number"], 0) + line["count"]
    return found


def either(one: dict[int, int], other: dict[int, int]) -> dict[int, int]:
    """A header's lines: each source that takes it in compiles some of them."""
    return {line: one.get(line, 0) + other.get(line, 0) for line in one | other}


def both(one: dict[int, int] | None, other: dict[int, int]) -> dict[int, int]:
    """A source that was compiled twice: an optimiser calls lines statements that are none."""
    return other if one is None else {line: one[line] + other[line] for line in one.keys() & other.keys()}


def ranges(lines: list[int]) -> str:
    """1, 2, 3, 7 as "1-3 7"."""
    texts: list[str] = []
    for line in lines:
        if texts and line == int(texts[-1].split("-")[-1]) + 1:
            texts[-1] = f"{texts[-1].split('-')[0]}-{line}"
        else:
            texts.append(str(line))
    return " ".join(texts)


def main() -> int:
    """Print the table; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--at-least", type=float, required=True, metavar="PERCENT")
    arguments = parser.parse_args()
    counts: dict[Path, dict[int, int]] = {}
    for notes in arguments.folder.rglob("*.gcno"):
        for path, lines in counts_of(notes).items():
            if path.parent.parent == FIRMWARE and path.parent.name in COUNTED:
                counts[path] = (
                    both(counts.get(path), lines)
                    if path.suffix == ".c"
                    else either(counts.get(path, {}), lines)
                )
    if not any(counts.values()):
        print(f"coverage: no .gcno file below {arguments.folder}; were the tests skipped?", file=sys.stderr)
        return 2
    print(f"{'file':<34}{'lines':>6}{'reached':>9}{'share':>9}  not reached")
    every = reached = 0
    for path, lines in sorted(counts.items()):
        missed = sorted(line for line, count in lines.items() if count == 0)
        every, reached = every + len(lines), reached + len(lines) - len(missed)
        share = 100 * (1 - len(missed) / len(lines))
        name = str(path.relative_to(FIRMWARE))
        print(
            f"{name:<34}{len(lines):>6}{len(lines) - len(missed):>9}{share:>8.1f}%  {ranges(missed)}".rstrip()
        )
    sources = {path for folder in COUNTED for path in (FIRMWARE / folder).glob("*.c")}
    tables = sorted(str(path.relative_to(FIRMWARE)) for path in sources - set(counts))
    share = 100 * reached / every
    print(f"{'all':<34}{every:>6}{reached:>9}{share:>8.1f}%  at least {arguments.at_least:g} %")
    print(f"\nwithout a statement: {', '.join(tables)}")
    print("not counted, because they run on a chip alone; on the virtual chips they are run by")
    for folder, where in ELSEWHERE:
        print(f"  {folder:<36}{where}")
    if share < arguments.at_least:
        print(f"coverage: {share:.1f} % of the lines, wanted are {arguments.at_least:g} %", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
