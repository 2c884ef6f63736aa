"""Before anything runs: options, settings, markers, skips, the dry run."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_bench import DESK, FakeBench

from pytest_lan_hil.dut import find

QUICK = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
ROOT = Path(__file__).parents[3]


def _run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(*QUICK, *arguments)


def _refused(pytester: pytest.Pytester, *arguments: str) -> str:
    """Run a session that must be refused before any test, and return what it said."""
    result = _run(pytester, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in text
    return text


# --- without --board ------------------------------------------------------------------------------------


def test_without_a_board_hil_tests_skip_with_one_line_and_others_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_one="def test_a(dut):\n    pass\n\ndef test_b(dut):\n    pass\n\ndef test_plain():\n    pass\n",
        test_two="def test_c(console):\n    pass\n",
    )
    result = _run(pytester)
    result.assert_outcomes(passed=1, skipped=3)
    said = [line for line in result.stdout.str().splitlines() if "--board" in line]
    assert said == [
        "lan-hil: 3 skipped tests: needs a board: run `pytest --board NAME` (`lan-hil boards` lists them)"
    ]


def test_a_session_without_hil_tests_says_nothing_of_boards(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_plain():\n    pass\n")
    assert "lan-hil" not in _run(pytester).stdout.str().replace("plugins: lan-hil", "")


def test_what_others_call_a_board_is_theirs(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    """A parameter or a fixture of the project's own by that name has nothing to do with us."""
    (pytester.mkdir("benches") / "desk.toml").write_text(DESK)
    pytester.makepyfile(
        test_parameter="""
        import pytest

        @pytest.mark.parametrize("board", ["chess", "go"])
        def test_game(board):
            assert board in ("chess", "go")
        """,
        test_fixture="""
        import pytest

        @pytest.fixture
        def board():
            return "chess"

        def test_game(board):
            assert board == "chess"
        """,
    )
    _run(pytester).assert_outcomes(passed=3)
    _run(pytester, "--board", "nrf52840", "--bench", "desk").assert_outcomes(passed=3)
    assert fake_bench.events == []


def test_dry_run_without_a_board_is_refused(pytester: pytest.Pytester) -> None:
    assert "--board NAME" in _refused(pytester, "--hil-dry-run")


# --- markers --------------------------------------------------------------------------------------------


def test_markers_are_registered_for_strict_markers(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.power_budget(1.2)
        @pytest.mark.latency_budget(12, percentile=99)
        @pytest.mark.energy_budget(uj=20)
        @pytest.mark.memory_budget
        @pytest.mark.firmware("lan")
        @pytest.mark.boards("nrf52840")
        def test_all(dut):
            pass
        """
    )
    _run(pytester, "--strict-markers").assert_outcomes(skipped=1)


@pytest.mark.parametrize(
    ("marker", "right_form"),
    [
        ("power_budget(-1)", "@pytest.mark.power_budget(mw=LIMIT)"),
        ("latency_budget('12 ms')", "@pytest.mark.latency_budget(ms=LIMIT, percentile=95)"),
        ("firmware()", '@pytest.mark.firmware("lan")'),
        ("firmware", '@pytest.mark.firmware("lan")'),
        ("boards(3)", '@pytest.mark.boards("nrf52840", "stm32f4")'),
    ],
)
def test_wrong_marker_argument_is_a_collection_error_with_the_right_form(
    pytester: pytest.Pytester, marker: str, right_form: str
) -> None:
    path = pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.{marker}
        def test_it(dut):
            pass
        """
    )
    result = _run(pytester)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    assert right_form in result.stdout.str()
    assert f"{path}:3: " in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_budget_on_a_test_without_dut_is_a_collection_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\n\n@pytest.mark.power_budget(1)\ndef test_it():\n    pass\n")
    result = _run(pytester)
    result.assert_outcomes(errors=1)
    assert "def test_it(dut)" in result.stdout.str()


def test_marker_without_limit_on_a_board_without_target_is_a_collection_error_there_only(
    pytester: pytest.Pytester,
) -> None:
    (pytester.mkdir("benches") / "desk.toml").write_text(DESK)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.energy_budget
        def test_it(dut):
            pass
        """
    )
    result = _run(pytester, "--board", "nrf52840", "--bench", "desk")
    result.assert_outcomes(errors=1)
    assert "energy_uj" in result.stdout.str()
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.energy_budget
        @pytest.mark.boards("stm32f4")
        def test_it(dut):
            pass
        """
    )
    result = _run(pytester, "--board", "nrf52840", "--bench", "desk", "-rs")
    result.assert_outcomes(skipped=1)
    assert "only for board stm32f4" in result.stdout.str()


# --- what can't be used ---------------------------------------------------------------------------------


def test_names_that_are_not_known_are_told_with_the_nearest(pytester: pytest.Pytester) -> None:
    assert "did you mean nrf52840" in _refused(pytester, "--board", "nrf5284", "--bench", "virtual")
    assert "did you mean virtual" in _refused(pytester, "--board", "nrf52840", "--bench", "virtul")


def test_no_bench_and_no_probe_says_what_was_looked_for_and_how_to_go_virtual(
    pytester: pytest.Pytester,
) -> None:
    text = _refused(pytester, "--board", "nrf52840")
    assert "J-Link" in text
    assert "pytest --board nrf52840 --bench virtual" in text


def test_pushgateway_that_is_no_url_is_refused(pytester: pytest.Pytester) -> None:
    text = _refused(pytester, "--board", "nrf52840", "--bench", "virtual", "--pushgateway", "localhost:9091")
    assert "'localhost:9091' is not http(s)://host[:port]" in text


def test_unwritable_output_is_refused_before_anything_is_measured(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("taken").write_text("a file, not a folder")
    text = _refused(pytester, "--board", "nrf52840", "--bench", "virtual", "--hil-output", "taken")
    assert "taken can't be written" in text
    assert "--hil-output DIR" in text


def test_a_wrong_board_file_is_told_with_line_key_and_fix(pytester: pytest.Pytester) -> None:
    (pytester.mkdir("boards") / "mine.toml").write_text('target = "nrf52840"\nsupply_v = -3.0\n')
    text = _refused(pytester, "--board", "mine", "--bench", "virtual")
    assert "mine.toml:2: [supply_v]" in text
    assert "fix:" in text


def test_traceback_of_bad_input_only_with_hil_debug(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess(*QUICK, "--board", "nrf5284", "--hil-debug")
    assert "Traceback" in result.stderr.str()


def test_two_probes_that_both_match_are_never_chosen_between(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `auto`, with no bench at all, and where two probes say they are the same one."""

    class Driver:
        simulated = False

        def __init__(self, uid: str) -> None:
            self.unique_id, self.description = uid, f"probe {uid}"

        @classmethod
        def get_all_connected_probes(cls, uid: object, is_explicit: object) -> list[Driver]:
            return [cls("11"), cls("22"), cls("22")]

    monkeypatch.setattr(find, "_plugins", lambda: {"fakelink": Driver})
    text = _refused(pytester, "--board", "nrf52840")
    assert "fakelink:11 (probe 11), fakelink:22 (probe 22)" in text
    benches = pytester.mkdir("benches")
    (benches / "any.toml").write_text('probe = "auto"\n')
    (benches / "twins.toml").write_text('probe = "fakelink:22"\n')
    pytester.makepyfile("def test_it(dut):\n    pass\n")
    for bench, said in (("any", "3 match"), ("twins", "2 match")):
        result = _run(pytester, "--board", "nrf52840", "--bench", bench)
        result.assert_outcomes(errors=1)
        assert said in result.stdout.str()
        assert "blocked (no verdict on the DUT)" in result.stdout.str()


# --- settings -------------------------------------------------------------------------------------------


def test_ini_settings_and_their_folders(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    """Bench, output, job and board folders from the ini file, relative to the root directory."""
    shipped = (ROOT / "boards" / "nrf52840.toml").read_text(encoding="utf-8")
    image = ROOT / "firmware" / "prebuilt" / "nrf52840" / "lan.elf"
    more = pytester.mkdir("more-boards") / "sensor.toml"
    more.write_text(shipped.replace("../firmware/prebuilt/nrf52840/lan.elf", str(image)))
    (pytester.mkdir("more-benches") / "desk.toml").write_text(DESK)
    pytester.makeini(
        """
        [pytest]
        hil_bench = desk
        hil_boards = more-boards
        hil_benches = more-benches
        hil_output = out/hil
        hil_job = nightly
        """
    )
    (pytester.mkdir("tests") / "test_it.py").write_text("def test_it(dut):\n    pass\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(pytester.path / "tests")
        _run(pytester, "--board", "sensor", "--rootdir", str(pytester.path)).assert_outcomes(passed=1)
    (record,) = (pytester.path / "out" / "hil").glob("runs/*/record.json")
    assert '"job": "nightly"' in record.read_text(encoding="utf-8")


def test_command_line_goes_before_environment_before_ini(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    benches = pytester.mkdir("benches")
    for name in ("from-ini", "from-environment", "from-command-line"):
        (benches / f"{name}.toml").write_text(DESK)
    pytester.makeini("[pytest]\nhil_bench = from-ini\n")
    pytester.makepyfile("def test_it(dut):\n    pass\n")

    def header(*arguments: str) -> str:
        lines = _run(pytester, "--board", "nrf52840", "--hil-dry-run", *arguments).stdout.lines
        return next(line for line in lines if line.startswith("lan-hil: board"))

    assert header().endswith("on bench from-ini")
    monkeypatch.setenv("LAN_HIL_BENCH", "from-environment")
    assert header().endswith("on bench from-environment")
    assert header("--bench", "from-command-line").endswith("on bench from-command-line")


# --- dry run --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_dry_run_says_what_it_would_do_and_touches_nothing(
    pytester: pytest.Pytester, fake_bench: FakeBench, workers: tuple[str, ...]
) -> None:
    (pytester.mkdir("benches") / "desk.toml").write_text(DESK)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.power_budget(1.2)
        @pytest.mark.latency_budget
        def test_it(dut):
            raise AssertionError

        @pytest.mark.firmware("nosuch")
        def test_other(dut):
            raise AssertionError

        def test_plain():
            raise AssertionError
        """
    )
    result = _run(pytester, "--board", "nrf52840", "--bench", "desk", "--hil-dry-run", *workers)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*probe     jlink:1",
            "*test      *::test_it*",
            "*flash   *lan.elf * bytes, sha256 *",
            "*judge   latency p95 <= 12 ms (board nrf52840)",
            "*judge   power mean <= 1.2 mW (marker)",
            "*flash   refused: *nosuch*",
            "*nothing was touched*",
        ]
    )
    assert fake_bench.events == []
    assert not (pytester.path / ".hil").exists()
