"""`lan-hil compare`: the whole command against `import numpy`, in pairs.

Processor time is compared, because what else the machine does changes wall time by more than the bar.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.bench_ledger import record
from benchmarks.table import Row
from pytest_lan_hil.dut.growth import Footprint, ObjectSize
from pytest_lan_hil.model.profile import Counted, FunctionTime, Profile
from pytest_lan_hil.publish.files import run_directory, write_atomically
from pytest_lan_hil.publish.images import FOLDER, ImageFacts, to_json
from pytest_lan_hil.publish.ledger import Ledger
from pytest_lan_hil.publish.profile_file import write_profile

PAIRS = 15
RUNS = 100
FUNCTIONS, OBJECTS = 300, 100
_LAN_HIL = "import sys; from pytest_lan_hil.cli import main; main(sys.argv[1:])"


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        base, head = _filled(Path(name))
        compare = [sys.executable, "-c", _LAN_HIL, "compare", base, head, "--hil-output", name]
        numpy = [sys.executable, "-c", "import numpy"]
        for command in (compare, numpy):
            _processor_s(command)  # files and bytecode into the caches
        pairs = []
        for index in range(PAIRS):
            if index % 2:  # a machine that slows down favours none
                told, imported = _processor_s(compare), _processor_s(numpy)
            else:
                imported, told = _processor_s(numpy), _processor_s(compare)
            pairs.append((told, imported))
    each = [1e3 * statistics.median(times) for times in zip(*pairs, strict=True)]
    return [
        Row(
            "`lan-hil compare`, whole command",
            statistics.median(told / imported for told, imported in pairs),
            "x",
            f'python -c "import numpy" ({each[0]:.0f} against {each[1]:.0f} ms of processor time, median of'
            f" {PAIRS} pairs; 5 quantities, {FUNCTIONS} functions, {OBJECTS} objects)",
            2.0,
            at_least=False,
        )
    ]


def _processor_s(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    quiet = subprocess.DEVNULL
    # bytecode must be cached, or compiling is what is measured
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run(command, check=True, stdout=quiet, stderr=quiet, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _filled(output: Path) -> tuple[str, str]:
    """A ledger of runs of several firmwares, the last two with a profile and an image; their run ids."""
    (output / "runs").mkdir()
    made = [replace(record(number), board="nrf52840") for number in range(RUNS)]
    with Ledger.open(output) as ledger:
        for one in made:
            ledger.add(one)
    for factor, one in ((10, made[-11]), (11, made[-1])):
        firmware = one.tests[0].firmware
        assert firmware is not None
        amounts = [factor * 1000 * (index + 1) for index in range(FUNCTIONS)]
        times = tuple(FunctionTime(f"function_{index}", each, 0.0) for index, each in enumerate(amounts))
        profile = Profile(firmware.sha256, Counted.CYCLES, 20, 1.0, 0.5, sum(amounts), times)
        folder = run_directory(output, one.run_id)
        write_profile(
            profile, folder, run_id=one.run_id, board=one.board, bench=one.bench, simulated=one.simulated
        )
        objects = tuple(ObjectSize(f"object_{index}.o", factor * 100, 64) for index in range(OBJECTS))
        sizes = {one.name: factor * 20 for one in times}
        facts = ImageFacts("lan.elf", Footprint(objects, "linker map lan.map"), sizes)
        write_atomically(output / FOLDER / f"{firmware.sha256}.json", to_json(facts))
    return made[-11].run_id, made[-1].run_id
