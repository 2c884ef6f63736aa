"""`lan-hil selftest`: the bench measures itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from pytest_lan_hil.cli.devices import letting_go, set_up
from pytest_lan_hil.cli.output import activity, print_json
from pytest_lan_hil.cli.project import BenchNames
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.selftest import SelfTest
from pytest_lan_hil.run.bench import is_replay
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.project import utc_now
from pytest_lan_hil.run.selftest import (
    load_selftest,
    measure_edges,
    measure_idle,
    selftest_path,
    store_selftest,
)


def selftest(
    board_name: str,
    bench_names: BenchNames,
    *,
    idle_s: float | None,
    loop: str | None,
    count: int,
    out: str | None,
    wait_s: float,
    as_json: bool,
) -> None:
    """Do the parts that are asked for, and keep the result with what an earlier part found.

    Raises:
        InputError: No part is asked for, or the result can't be written.
        BlockedError: The bench can't do it.
    """
    if idle_s is None and loop is None:
        raise InputError(
            "selftest: nothing to do",
            fix="disconnect the load and give --idle SECONDS, or wire two inputs to one pin and give"
            " --loop MARKER:TWIN",
        )
    marker, _, twin = (loop or "").partition(":")
    if loop is not None and not (marker and twin and marker != twin):
        raise InputError(f"--loop {loop} does not name two marker lines", fix="write --loop inference:twin")
    board, bench, wiring = set_up(board_name, bench_names)
    if is_replay(wiring):
        raise InputError(f"{wiring.analyzer} is a record, not a bench", fix="name a bench with --bench")
    path = Path(out) if out else selftest_path(bench)
    if path is None:
        raise InputError(f"bench {bench.name} has no file to keep the result with", fix="give --out FILE")
    made_at = utc_now()
    result = load_selftest(bench)
    if idle_s is not None:
        with activity(f"recording {idle_s:g} s of nothing"):
            floor, identity = measure_idle(board, wiring, idle_s, wait_s=wait_s)
        result = _for_analyzer(result, str(identity), made_at, simulated=identity.simulated)
        result = dataclasses.replace(
            result,
            supply_v=floor.voltage_v,
            offset_a=floor.offset_a,
            noise_a=floor.noise_a,
            noise_block_s=floor.block_s,
        )
    if loop is not None:
        with (
            letting_go(BoardRun(board, bench, wiring, wait_s=wait_s)) as run,
            activity(f"comparing {marker} and {twin} over {count} inferences"),
        ):
            run.prepare(None)
            opened = run.open()
            edges = measure_edges(opened, marker, twin, count)
            identity = opened.measuring_identity
        result = _for_analyzer(result, str(identity), made_at, simulated=opened.simulated)
        result = dataclasses.replace(
            result,
            latency_floor_ms=(abs(edges.skew_s) + edges.jitter_s) * 1e3,
            edges=2 * edges.pulses,
        )
    assert result is not None
    store_selftest(result, path)
    if as_json:
        print_json({**dataclasses.asdict(result), "power_floor_mw": result.power_floor_mw, "file": path})
        return
    label = " (simulated)" if result.simulated else ""
    print(f"self-test of bench {bench.name}{label}: {result.analyzer}")
    if result.offset_a is not None:
        print(
            f"idle load: offset {result.offset_a * 1e6:.3g} uA, noise {result.noise_a * 1e6:.2g} uA in"
            f" {result.noise_block_s:g} s: power below {result.power_floor_mw:.2g} mW can't be told from none"
        )
    if result.latency_floor_ms is not None:
        shortest = result.latency_floor_ms * 1e3
        print(f"edges: differences below {shortest:.3g} us can't be seen (n={result.edges})")
    print(f"kept in {path}")


def _for_analyzer(result: SelfTest | None, analyzer: str, made_at: str, *, simulated: bool) -> SelfTest:
    """What was found earlier, unless it was found with another instrument."""
    if result is None or result.analyzer != analyzer:
        return SelfTest(analyzer=analyzer, made_at=made_at, simulated=simulated)
    return dataclasses.replace(result, made_at=made_at, simulated=simulated)
