"""Several boards on several benches in one session: who runs where, and the one table at the end."""

from __future__ import annotations

import json

import pytest
from fake_bench import DESK, FakeBench

WIRES = '[markers]\ninference = "gpi0"\nphase = "gpi1"\n'
SOURCE = """
    import pytest

    @pytest.mark.latency_budget(12, percentile=50)
    @pytest.mark.memory_budget(32)
    def test_work(dut, board):
        dut.infer(20)

    @pytest.mark.power_budget(0.001)
    def test_hungry(dut):
        dut.run_for(1)
"""
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


@pytest.fixture(autouse=True)
def _two_of_each(pytester: pytest.Pytester) -> None:
    benches, boards = pytester.mkdir("benches"), pytester.mkdir("boards")
    (benches / "left.toml").write_text('boards = ["one"]\n' + DESK + WIRES)
    (benches / "right.toml").write_text(DESK.replace('"jlink:1"', '"virtual:{virtual}"') + WIRES)
    from pytest_lan_hil.config import shipped_root

    image = shipped_root() / "firmware" / "prebuilt" / "nrf52840" / "lan.elf"
    common = f'target = "nrf52840"\nsupply_v = 3.0\n[images]\nlan = "{image}"\n'
    (boards / "one.toml").write_text(common)
    (boards / "two.toml").write_text('virtual = "nrf52840"\n' + common)
    (boards / "none.toml").write_text(common)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(SOURCE)
    return pytester.runpytest_inprocess(*QUIET, *arguments)


def benches_used(pytester: pytest.Pytester) -> dict[str, str]:
    records = [json.loads(path.read_text()) for path in pytester.path.glob(".hil/runs/*/record.json")]
    return {record["board"]: record["bench"] for record in records}


BOTH = ("--board", "two", "--board", "one")


@pytest.mark.parametrize("how", ["option", "environment", "ini"])
def test_each_board_takes_the_first_bench_that_serves_it(
    pytester: pytest.Pytester, fake_bench: FakeBench, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    options: tuple[str, ...] = ()
    if how == "option":
        options = ("--bench", "left", "--bench", "right")
    elif how == "environment":
        monkeypatch.setenv("LAN_HIL_BENCH", "left right")
    else:
        pytester.makeini("[pytest]\nhil_bench = left right\n")
    result = run(pytester, *BOTH, *options)
    result.assert_outcomes(passed=2, failed=2)
    assert benches_used(pytester) == {"one": "left", "two": "right"}
    result.stdout.fnmatch_lines(["lan-hil: board two on bench right", "lan-hil: board one on bench left"])


def test_one_table_stands_over_all_boards_with_intervals_and_who_is_simulated(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    fake_bench.simulated = True
    fake_bench.arrange = lambda opened: None
    result = run(pytester, *BOTH, "--bench", "left", "--bench", "right")
    table = [
        line for line in result.outlines if line.startswith(("quantity ", "latency ", "power ", "memory "))
    ]
    assert [line.split()[:3] for line in table] == [
        ["quantity", "board", "measured"],
        ["latency", "two", "SIMULATED"],
        ["latency", "one", "SIMULATED"],
        ["power", "two", "SIMULATED"],
        ["power", "one", "SIMULATED"],
        ["memory", "two", "SIMULATED"],
        ["memory", "one", "SIMULATED"],
    ]
    assert all(len(line) <= 100 for line in table)
    power = next(line for line in table if line.startswith("power"))
    assert "≤ 0.001 mW" in power
    assert " to " in power
    assert power.endswith("OVER")


def test_real_and_simulated_rows_are_told_apart(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    opened = fake_bench.open

    def by_bench(board, bench, wiring, *, wait_s):
        fake_bench.simulated = bench.name == "right"
        return opened(board, bench, wiring, wait_s=wait_s)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_lan_hil.run.board_run.open_bench", by_bench)
        result = run(pytester, *BOTH, "--bench", "left", "--bench", "right")
    rows = [line.split()[:3] for line in result.outlines if line.startswith("latency ")]
    assert rows == [["latency", "two", "SIMULATED"], ["latency", "one", "hardware"]]
    result.stdout.fnmatch_lines(["lan-hil: board two: SIMULATED: *"])


def test_one_board_has_its_own_table_and_no_other(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    result = run(pytester, "--board", "one", "--bench", "left")
    result.stdout.fnmatch_lines(["latency per inference *within"])
    result.stdout.no_fnmatch_line("quantity *board *measured on*")


def test_a_board_that_no_bench_serves_stops_the_session_and_hears_why(pytester: pytest.Pytester) -> None:
    result = run(pytester, "--board", "none", "--bench", "left", "--bench", "right")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "*none of the benches left, right serves board none:*",
            "*left: bench left does not serve board none, only one",
            "*right: board none has no virtual silicon; *",
        ]
    )


def test_a_quantity_that_one_board_can_not_know_skips_there_with_the_reason(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    (pytester.path / "boards" / "one.toml").write_text(
        (pytester.path / "boards" / "two.toml").read_text().replace("supply_v = 3.0\n", "")
    )
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.power_budget
        def test_hungry(dut):
            dut.run_for(1)
        """
    )
    result = pytester.runpytest_inprocess(*QUIET, "--board", "one", "--bench", "left", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*board one has no supply rail*"])
    assert fake_bench.events == []
    dry = pytester.runpytest_inprocess(*QUIET, "--board", "one", "--bench", "left", "--hil-dry-run")
    dry.stdout.fnmatch_lines(["*skip *test_hungry*: board one has no supply rail*"])
