"""A program on a pseudo terminal as a DUT: it talks as one on a wire does, and its end is told."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_lan_hil.dut.console import Console
from pytest_lan_hil.dut.port import open_port
from pytest_lan_hil.dut.unprobed import UnprobedDut
from pytest_lan_hil.model.errors import ConsoleError, DutFault, DutTimeout, InputError, ProbeError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs pseudo terminals")

PROGRAM = Path(__file__).parents[2] / "helpers" / "mlperf_dut.py"


def uri(*arguments: str) -> str:
    return "exec:" + shlex.join([sys.executable, str(PROGRAM), *arguments])


def python(code: str) -> str:
    return "exec:" + shlex.join([sys.executable, "-c", code])


def test_a_program_answers_as_a_board_does() -> None:
    with Console.open(uri("--greet"), baudrate=115200) as console:
        dut = UnprobedDut(console)
        assert dut.name() == "dut pty"
        dut.load(bytes([7]) * 490)
        result = dut.infer(20, 1)
        assert (result.count, result.warmups) == (20, 1)
        assert max(range(12), key=result.results.__getitem__) == 7
        assert dut.results() == result.results
        assert not console.simulated
        assert "process" in console.description


def test_bytes_pass_unchanged_in_both_directions() -> None:
    echo = "import os\nwhile (d := os.read(0, 99)): os.write(1, d)"
    port = open_port(python(echo), baudrate=115200)
    try:
        every = bytes(range(256))
        port.write(every)
        port.timeout = 5.0
        assert port.read(256) == every
        port.timeout = 0.05
        assert port.read(1) == b""
    finally:
        port.close()


def test_a_crash_is_the_dut_s_fault_and_quotes_its_last_words() -> None:
    with Console.open(uri("--crash-after", "19"), baudrate=115200) as console:
        dut = UnprobedDut(console)
        dut.name()
        with pytest.raises(DutFault, match=r"ended by SIGABRT") as caught:
            dut.infer(20, 1)
        assert "assertion failed: arena too small" in caught.value.problem
        assert console.lines[-1].text == "m-infer-start-20"  # what it said before is all there


def test_an_exit_is_told_with_its_code_and_nothing_more_can_be_asked() -> None:
    with Console.open(python("print('m-ready'); raise SystemExit(3)"), baudrate=115200) as console:
        console.expect("m-ready", timeout_s=5.0)
        for _ in range(2):
            with pytest.raises(DutFault, match="ended with exit code 3"):
                console.expect("never", timeout_s=5.0)


def test_a_program_that_reads_nothing_is_ended_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "child"
    code = (
        "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"child = subprocess.Popen(['sleep', '600']); open({str(mark)!r}, 'w').write(str(child.pid));"
        "time.sleep(600)"
    )
    port = open_port(python(code), baudrate=115200)
    stop = time.monotonic() + 10
    while not (mark.exists() and mark.read_text()) and time.monotonic() < stop:
        time.sleep(0.02)
    child = int(mark.read_text())
    port.close()
    port.close()  # harmless
    stop = time.monotonic() + 5
    while Path(f"/proc/{child}/cmdline").exists() and b"sleep" in Path(f"/proc/{child}/cmdline").read_bytes():
        assert time.monotonic() < stop, "the child lives on"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("exec:./nope", "No such file"),
        ("exec:/etc/passwd", "Permission denied|Exec format"),
    ],
)
def test_a_program_that_can_t_be_started_blocks(bad: str, told: str) -> None:
    with pytest.raises(ConsoleError, match=told):
        open_port(bad, baudrate=115200)


@pytest.mark.parametrize(
    ("bad", "told"), [("exec:", "names no program"), ("exec:'open", "No closing quotation")]
)
def test_a_uri_that_names_no_program_is_the_user_s_to_mend(bad: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        open_port(bad, baudrate=115200)


def test_a_program_that_never_answers_is_not_called_a_failed_dut() -> None:
    silent = Console.open(python("import time; time.sleep(60)"), baudrate=115200)
    with silent as console, pytest.raises(ConsoleError, match="has not answered once"):
        UnprobedDut(console, timeout_s=0.3).name()


def test_one_that_answered_before_and_falls_silent_is() -> None:
    code = (
        "import sys, time; print('m-name-dut-[x]\\nm-ready', flush=True); sys.stdin.read(6); time.sleep(60)"
    )
    with Console.open(python(code), baudrate=115200) as console:
        console.expect("m-ready", timeout_s=5.0)
        with pytest.raises(DutTimeout):
            UnprobedDut(console, timeout_s=0.3).name()


def test_what_needs_a_probe_says_that_there_is_none() -> None:
    with Console.open(uri(), baudrate=115200) as console, pytest.raises(ProbeError, match="without a debug"):
        UnprobedDut(console).reset()


def test_a_program_that_lives_is_not_said_to_have_hung_up_unless_it_has() -> None:
    with Console.open(
        python("import time; print('m-ready', flush=True); time.sleep(60)"), baudrate=9600
    ) as talks:
        talks.expect("m-ready", timeout_s=5.0)
        assert "the program runs on; it said nothing" in talks._port.ended().problem
    code = "import os, time; print('m-ready', flush=True); os.close(0); os.close(1); time.sleep(60)"
    with Console.open(python(code), baudrate=115200) as console:
        console.expect("m-ready", timeout_s=5.0)
        with pytest.raises(DutFault, match="closed its standard input and output, but runs on; it said"):
            console.expect("never", timeout_s=5.0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux's")
def test_a_program_does_not_outlive_a_harness_that_is_killed() -> None:
    program = shlex.join([sys.executable, "-c", "import time; time.sleep(60)"])
    harness = (
        "import time\n"
        "from pytest_lan_hil.dut.process import open_process\n"
        f"port = open_process({f'exec:{program}'!r}, baudrate=115200, timeout=1.0)\n"
        "print(port._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", harness], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        child = int(killed.stdout.readline())
        os.kill(child, 0)
        killed.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _lives(child):
        assert time.monotonic() < deadline, "the program outlived the harness"
        time.sleep(0.05)


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
