"""`lan-hil compare`: what changed between two runs, and not only that it did."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from pytest_lan_hil.cli.baseline_tables import plain, print_comparisons, print_sides
from pytest_lan_hil.cli.ledger import project_ledger
from pytest_lan_hil.cli.output import note, print_json, print_table
from pytest_lan_hil.cli.project import find_project
from pytest_lan_hil.judge.regression import combined
from pytest_lan_hil.measure.profiles import FunctionChange, ProfileChange
from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.model.profile import Counted
from pytest_lan_hil.publish.ledger import LEDGER_NAME
from pytest_lan_hil.run.board_margins import board_margins
from pytest_lan_hil.run.changes import Changes, Only, Side, changes

_FUNCTIONS = 15  # rows of each table of functions, of those that changed
_WORTH_A_ROW = 5e-4  # of all functions' time: code that only moved in flash changes by less


def compare(
    base: str,
    head: str,
    only: Only,
    output: str | None,
    *,
    as_json: bool,
) -> VerdictKind:
    """Print what changed; returns the verdict over all that was measured.

    Args:
        base, head: Names or files.
        only: Where a name stands for runs of several boards or benches.
        output: Folder of run records.
        as_json: Print JSON.

    Raises:
        InputError: See `run.changes.changes`.
    """
    project = find_project()
    records = project.output(output)
    with ExitStack() as stack:
        recorded = (records / LEDGER_NAME).exists() or (records / "runs").is_dir()
        ledger = stack.enter_context(project_ledger(output)) if recorded else None
        found = changes(
            base,
            head,
            ledger,
            records,
            only,
            lambda board: board_margins(board, project.rootdir, project.folders("hil_boards")),
        )
    verdict = combined(found.comparisons)
    if as_json:
        print_json(_json(found, verdict))
    else:
        _tell(found)
    return verdict


# As text --------------------------------------------------------------------------------------------------


def _tell(found: Changes) -> None:
    print_sides(found.setup, found.base.measured, found.head.measured)
    if found.comparisons:
        print_comparisons(found.comparisons)
    if found.profile is not None:
        _tell_profile(found.profile, found.head)
    if found.objects is not None:
        _tell_memory(found)
    if found.notes:
        print(flush=True)
    for line in found.notes:
        note(f"lan-hil: {line}")


def _tell_profile(change: ProfileChange, head: Side) -> None:
    exact = head.profile is not None and head.profile.counted is Counted.CYCLES
    how = "every cycle counted" if exact else "from samples of the program counter, with standard errors"
    print(f"\n{change.unit} for each inference, by function ({how})")
    told = [row for row in change.functions if row.state != "same"]
    worth = [row for row in told if abs(row.change) > _WORTH_A_ROW * change.before]
    shown = sorted(worth, key=lambda row: -abs(row.change))[:_FUNCTIONS]
    rows = [_function_row(row, change.before) for row in told if row in shown]
    whole = FunctionChange("all functions", change.before, change.after, 0.0)
    print_table(
        ("function", "base", "head", "change", "of all", ""), [*rows, _function_row(whole, change.before)]
    )
    print(f"asleep: {1e3 * change.asleep_before_s:.4g} ms, then {1e3 * change.asleep_after_s:.4g} ms")
    same = len(change.functions) - len(told)
    as_before = (
        "1 function takes as long as before" if same == 1 else f"{same} functions take as long as before"
    )
    _tell_rest(as_before if same else "", len(told) - len(shown))


def _function_row(row: FunctionChange, whole: float) -> tuple[str, ...]:
    error = f" ± {row.error:.2g}" if row.error else ""
    relative = f" ({100 * row.change / row.before:+.2f} %)" if row.before and row.after else ""
    share = f"{100 * row.change / whole:+.2f} %" if whole else ""
    state = "" if row.name == "all functions" else row.state
    return (
        row.name,
        _figure(row.before),
        _figure(row.after),
        f"{_signed(row.change)}{error}{relative}",
        share,
        state,
    )


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


def _signed(value: float) -> str:
    return f"{value:+.0f}" if abs(value) >= 1000 else f"{value:+.4g}"


def _tell_memory(found: Changes) -> None:
    base, head = found.base.image, found.head.image
    assert base is not None
    assert head is not None
    objects = found.objects or ()
    grown = [row for row in objects if row.state != "same"]
    print(f"\nmemory by object file, bytes ({head.footprint.source}, against {base.footprint.source})")
    rows = [
        (
            row.name,
            str(row.after.flash if row.after else 0),
            str(row.after.ram if row.after else 0),
            f"{row.flash:+d}",
            f"{row.ram:+d}",
            row.state,
        )
        for row in grown
    ]
    flash, ram = sum(row.flash for row in objects), sum(row.ram for row in objects)
    total = ("total", str(head.footprint.flash), str(head.footprint.ram), f"{flash:+d}", f"{ram:+d}", "")
    print_table(("object", "flash", "RAM", "flash added", "RAM added", ""), [*rows, total])
    same = len(objects) - len(grown)
    as_before = "1 object is as large as before" if same == 1 else f"{same} objects are as large as before"
    _tell_rest(as_before if same else "", 0)
    if base.footprint.by_map != head.footprint.by_map:
        print("only one of the two has a linker map: what is in which object is not told alike")
    sizes = [(name, old, new) for name, old, new in found.functions or () if old != new]
    if sizes:
        print("\nbytes of code, by function")
        most = sorted(sizes, key=lambda row: -abs(row[2] - row[1]))[:_FUNCTIONS]
        shown = [
            (name, str(old), str(new), f"{new - old:+d}")
            for name, old, new in sizes
            if (name, old, new) in most
        ]
        print_table(("function", "base", "head", "added"), shown)
        _tell_rest("", len(sizes) - len(shown))


def _tell_rest(as_before: str, left_out: int) -> None:
    less = f"{left_out} that changed less left out (--json has all)" if left_out else ""
    told = "; ".join(filter(None, (as_before, less)))
    if told:
        print(told)


# As JSON --------------------------------------------------------------------------------------------------


def _json(found: Changes, verdict: VerdictKind) -> dict[str, Any]:
    return {
        "board": found.setup.board,
        "bench": found.setup.bench,
        "simulated": found.setup.simulated,
        "base": _side_json(found.base),
        "head": _side_json(found.head),
        "verdict": verdict.value,
        "comparisons": plain(found.comparisons),
        "profile": _profile_json(found.profile, found.head),
        "objects": _objects_json(found),
        "functions": None
        if found.functions is None
        else [{"name": name, "before": old, "after": new} for name, old, new in found.functions],
        "notes": list(found.notes),
    }


def _side_json(side: Side) -> dict[str, Any]:
    return {
        "origin": side.measured.baseline.origin,
        "runs": [run.run_id for run in side.measured.runs],
        "firmware_sha256": side.firmware_sha256,
    }


def _profile_json(change: ProfileChange | None, head: Side) -> dict[str, Any] | None:
    if change is None or head.profile is None:
        return None
    return {
        "counted": head.profile.counted.value,
        "unit": change.unit,
        "before": change.before,
        "after": change.after,
        "asleep_before_s": change.asleep_before_s,
        "asleep_after_s": change.asleep_after_s,
        "functions": _function_json(change.functions),
    }


def _function_json(rows: Sequence[FunctionChange]) -> list[dict[str, Any]]:
    return [
        {
            "name": row.name,
            "before": row.before,
            "after": row.after,
            "change": row.change,
            "error": row.error,
            "state": row.state,
        }
        for row in rows
    ]


def _objects_json(found: Changes) -> dict[str, Any] | None:
    if found.objects is None or found.base.image is None or found.head.image is None:
        return None
    return {
        "source": found.head.image.footprint.source,
        "source_before": found.base.image.footprint.source,
        "rows": [
            {"name": row.name, "state": row.state, "flash": row.flash, "ram": row.ram}
            for row in found.objects
        ],
    }
