"""Bad input and broken benches: one clear message, the right exit code, nothing half-written."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ON_VIRTUAL = ("--board", "nrf52840", "--bench", "virtual")
FAULTS = "LAN_HIL_VIRTUAL_FAULTS"

INFER = """
    import pytest

    @pytest.mark.latency_budget(12, percentile=50)
    def test_latency(dut):
        dut.infer(10)
"""


@pytest.fixture(autouse=True)
def _a_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(INFER)


def _refused(pytester: pytest.Pytester, *arguments: str) -> str:
    """Run a session that must be refused before any test, and return what it said."""
    result = pytester.runpytest_subprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in text
    return text


def _blocked(pytester: pytest.Pytester, *arguments: str) -> str:
    """Run a session whose test must be blocked, and return what it said."""
    result = pytester.runpytest_subprocess(*arguments)
    result.assert_outcomes(errors=1)
    text = result.stdout.str()
    assert "Traceback" not in text
    return text


def test_unknown_board_names_the_nearest(pytester: pytest.Pytester) -> None:
    assert "nrf52840" in _refused(pytester, "--board", "nrf5284", "--bench", "virtual")


def test_unknown_bench_names_the_nearest(pytester: pytest.Pytester) -> None:
    assert "virtual" in _refused(pytester, "--board", "nrf52840", "--bench", "virtul")


def test_no_bench_and_no_probe_says_what_was_looked_for_and_how_to_go_virtual(
    pytester: pytest.Pytester,
) -> None:
    text = _refused(pytester, "--board", "nrf52840")
    assert "J-Link" in text
    assert "pytest --board nrf52840 --bench virtual" in text


def test_pushgateway_that_is_no_url_is_refused(pytester: pytest.Pytester) -> None:
    assert "localhost:9091" in _refused(pytester, *ON_VIRTUAL, "--pushgateway", "localhost:9091")


def test_unwritable_output_is_refused_before_anything_is_measured(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("taken").write_text("a file, not a folder")
    assert "taken" in _refused(pytester, *ON_VIRTUAL, "--hil-output", "taken")


def _own_board(pytester: pytest.Pytester, image: Path | None, *, target: str = "nrf52840") -> None:
    lines = [f'target = "{target}"', 'virtual = "nrf52840"', "supply_v = 3.0"]
    lines += ["[flash]", "start = 0", "size_kib = 1024", "[ram]", "start = 0x20000000", "size_kib = 256"]
    lines += ["[marker_pins]", 'inference = "P0.13"', 'phase = "P0.14"']
    if image is not None:
        lines += ["[images]", f'lan = "{image}"']
    pytester.mkdir("boards").joinpath("mine.toml").write_text("\n".join(lines) + "\n")


@pytest.fixture
def lan_elf(request: pytest.FixtureRequest) -> Path:
    return request.config.rootpath / "firmware" / "prebuilt" / "nrf52840" / "lan.elf"


def test_board_without_image_says_what_to_add(pytester: pytest.Pytester) -> None:
    _own_board(pytester, None)
    assert "[images]" in _blocked(pytester, "--board", "mine", "--bench", "virtual")


def test_truncated_elf_is_not_flashed(pytester: pytest.Pytester, lan_elf: Path) -> None:
    cut = pytester.path / "cut.elf"
    cut.write_bytes(lan_elf.read_bytes()[:2000])
    _own_board(pytester, cut)
    assert "cut.elf" in _blocked(pytester, "--board", "mine", "--bench", "virtual")


def test_image_for_another_chip_is_not_flashed(pytester: pytest.Pytester) -> None:
    from intelhex import IntelHex

    image = IntelHex()
    image.puts(0x0800_0000, b"\x00\x00\x02\x20\x01\x01\x00\x08" * 64)
    path = pytester.path / "stm32.hex"
    image.write_hex_file(str(path))
    _own_board(pytester, path)
    text = _blocked(pytester, "--board", "mine", "--bench", "virtual")
    assert "0x08000000" in text.replace("0x8000000", "0x08000000")


def test_bench_naming_an_absent_probe_says_what_is_wanted_and_what_is_there(
    pytester: pytest.Pytester,
) -> None:
    pytester.mkdir("benches").joinpath("desk.toml").write_text('probe = "cmsisdap:0123456789"\n')
    text = _blocked(pytester, "--board", "nrf52840", "--bench", "desk")
    assert "0123456789" in text
    assert "attached" in text


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("marker-low", "never"),
        ("marker-high", "never"),
        ("console-silent", "console"),
        ("probe-absent", "probe"),
        ("analyzer-vanish", "stopped"),
    ],
)
def test_broken_bench_blocks_and_says_what_broke(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, fault: str, says: str
) -> None:
    monkeypatch.setenv(FAULTS, fault)
    assert says in _blocked(pytester, *ON_VIRTUAL)


def test_bench_that_failed_once_refuses_the_next_test_at_once(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FAULTS, "probe-absent")
    pytester.makepyfile(test_more="def test_a(dut): pass\ndef test_b(dut): pass\n")
    result = pytester.runpytest_subprocess(*ON_VIRTUAL)
    result.assert_outcomes(errors=3)


def test_dropped_samples_in_a_window_never_become_a_number(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FAULTS, "drop")
    pytester.makepyfile(INFER.replace("latency_budget(12, percentile=50)", "power_budget(2)"))
    result = pytester.runpytest_subprocess(*ON_VIRTUAL)
    text = result.stdout.str()
    assert "lost" in text or "dropped" in text


def test_hard_fault_is_the_duts_failure_and_shows_the_console(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(dut):\n    dut.command('lnn fault hard')\n    dut.name()\n")
    result = pytester.runpytest_subprocess(*ON_VIRTUAL)
    result.assert_outcomes(failed=1)
    assert "fault" in result.stdout.str().lower()
    assert "m-ready" in result.stdout.str()


def test_dead_gateway_is_reported_and_does_not_fail_the_run(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess(*ON_VIRTUAL, "--pushgateway", "http://127.0.0.1:9")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    assert "lan-hil push" in result.stdout.str()
    assert list(pytester.path.glob(".hil/spool/*.json"))


def _interrupt(pytester: pytest.Pytester, after: str) -> str:
    """Start a session, send Ctrl-C once `after` is on its output, and return what it said."""
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", *ON_VIRTUAL]
    session = subprocess.Popen(
        command, cwd=pytester.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert session.stdout is not None
    seen = ""
    deadline = time.monotonic() + 120
    while after not in seen and time.monotonic() < deadline:
        line = session.stdout.readline()
        if not line:
            break
        seen += line
    session.send_signal(signal.SIGINT)
    rest, _ = session.communicate(timeout=120)
    assert session.returncode == pytest.ExitCode.INTERRUPTED, seen + rest
    return seen + rest


def test_ctrl_c_in_a_capture_leaves_a_record_and_a_free_board(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.power_budget(1.2)
        def test_long(dut):
            print("capturing now", flush=True)
            dut.run_for(3600)
        """
    )
    _interrupt(pytester, "capturing now")
    (path,) = pytester.path.glob(".hil/runs/*/record.json")
    assert '"interrupted"' in path.read_text(encoding="utf-8")
    pytester.makepyfile(INFER)
    pytester.runpytest_subprocess(*ON_VIRTUAL).assert_outcomes(passed=1)
