"""`python -m benchmarks.verdict_tables [NAME ...]`: write the tables of docs/explanation/verdicts.md anew.

Each table stands between `<!-- table NAME -->` and `<!-- end -->` there; all are written unless some are
named. `planted` needs about a quarter of an hour (`--runs N`: with fewer runs), the others a minute together.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from benchmarks import bench_planted
from benchmarks.bench_verdicts import (
    CHANGES,
    DRIFT,
    ON_MARGIN,
    REPEATED,
    SAME,
    SUBJECTS,
    WORSE,
    block_rates,
    family_errors,
    rates,
    repeated,
)
from benchmarks.verdict_trials import BENCHES, VARYING
from pytest_lan_hil.judge.sequential import LOOKS

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "explanation" / "verdicts.md"


NAMES = ("pairs", "planted", "repeats", "family", "blocks")


def table(name: str, runs: int) -> str:
    """One of `NAMES` as Markdown; `runs` of each firmware for `planted`."""
    made = {"pairs": _pairs, "repeats": _repeats, "family": _family, "blocks": _blocks}
    return _planted(runs) if name == "planted" else made[name]()


def _pairs() -> str:
    rows = []
    for bench in (*BENCHES, *VARYING):
        for change in CHANGES:
            found = rates(bench)[change]
            figures = (found.regressed, found.within, found.inconclusive, found.naive, found.t_test)
            runs = f"{bench.base_runs} and {bench.head_runs}"
            rows.append((bench.name, runs, _percent(change), *map(_share, figures)))
    return _markdown(
        ("noise", "runs", "true change", "regressed", "within", "inconclusive", "mean > 10 %", "t-test"), rows
    )


def _repeats() -> str:
    rows = []
    for between, base_runs in REPEATED:
        for change in (SAME, ON_MARGIN, WORSE):
            found = repeated(between, base_runs)[change]
            figures = (found.regressed, found.inconclusive)
            beside = (found.fixed, found.careless)
            noise = f"{100 * between:g} %, {base_runs} runs"
            rows.append(
                (noise, _percent(change), *map(_share, figures), f"{found.looks:.1f}", *map(_share, beside))
            )
    return _markdown(
        (
            "runs vary by, baseline", "true change", "regressed", "inconclusive", "mean repeats",
            f"regressed, {LOOKS} repeats at once", "regressed, a look after each at 5 %",
        ),
        rows,
    )  # fmt: skip


def _family() -> str:
    corrected, alone = family_errors()
    return _markdown(
        (f"{SUBJECTS} subjects, all worse by just the margin", "at least one called regressed"),
        [("each tested at 5 %", _share(alone)), ("Holm", _share(corrected))],
    )


def _blocks() -> str:
    rows = [(_percent(change), *map(_share, block_rates()[change])) for change in (SAME, ON_MARGIN, WORSE)]
    return _markdown(
        (
            f"true change (bench drifts by {100 * DRIFT:g} % a run)",
            "regressed: A, B, B, A three times",
            "regressed: six times A, then six times B",
        ),
        rows,
    )


def _planted(runs: int) -> str:
    rows = []
    for one in bench_planted.measured(runs).found:
        figures = (one.passed, one.failed, one.inconclusive, one.naive, one.t_test)
        rows.append((one.firmware.title, one.change_text, f"{one.runs}", *map(_share, figures)))
    return _markdown(
        (
            "planted", "change of the means", "runs", "passed", "failed", "inconclusive", "mean > 10 %",
            "t-test",
        ),
        rows,
    )  # fmt: skip


def _percent(change: float) -> str:
    return f"+{100 * change:g} %" if change else "none"


def _share(percent: float) -> str:
    return f"{percent:.1f} %"


def _markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows))


def main() -> None:
    """Write the tables into the document.

    Raises:
        LookupError: The document has no place for one of them.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdict_tables")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (all)")
    bench_planted.add_runs(parser)
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no table {min(unknown)!r}; there are: {', '.join(NAMES)}")
    for name in options.names or NAMES:
        made = table(name, options.runs)
        text = DOCUMENT.read_text(encoding="utf-8")
        place = re.compile(rf"(<!-- table {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        found = place.search(text)
        if found is None:
            raise LookupError(f"{DOCUMENT} has no place for the table {name!r}")
        text = f"{text[: found.start()]}{found[1]}{made}\n{found[2]}{text[found.end() :]}"
        DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
