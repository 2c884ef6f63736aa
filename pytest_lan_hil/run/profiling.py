"""`pytest --hil-profile`: after a board's tests, one more pass that finds out which function takes how long.

It comes when the run is on disk, so that nothing that was measured can be lost with it, and opens the bench
anew.
Nothing is measured meanwhile, so that neither the counting nor an attached debugger can touch a
figure.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pytest_lan_hil.dut.profile import profile
from pytest_lan_hil.model.errors import CapabilityMissing, HilError, ImageError
from pytest_lan_hil.publish.files import run_directory
from pytest_lan_hil.publish.profile_file import write_profile
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.publication import Publication


def with_profile(published: Publication, run: BoardRun, output: Path) -> Publication:
    """Profile what the first test had under test, into the run's folder.

    What goes wrong is a warning, for the tests are over.

    Args:
        published: What became of the run; the profile's path is told behind it.
        run: Of the board; its bench is closed, and closed again afterwards.
        output: Folder of run records.
    """
    if published.record is None:
        return published
    name = run.board.name
    try:
        line = f"profile of {name}: {_profile(run, output)}"
    except HilError as error:
        line = f"warning: {name} has no profile: {error.problem}"
    except KeyboardInterrupt:
        line = f"warning: {name} has no profile: interrupted"
    finally:
        problem = run.close(interrupted=False)
    return replace(published, lines=(*published.lines, line, *([f"warning: {problem}"] if problem else [])))


def _profile(run: BoardRun, output: Path) -> Path:
    if run.board.is_native:
        raise CapabilityMissing(
            "it is a program of this host, and no core of its own", fix="profile it with `perf record`"
        )
    proved = (test.firmware for test in run.tests if test.firmware is not None and test.firmware.proved)
    firmware = next(proved, None)
    if firmware is None:
        raise ImageError("no test proved an image", fix="run a test that uses `dut`")
    run.prepare(firmware.image)
    probe, dut = run.open().flashable()
    return write_profile(
        profile(probe, dut),
        run_directory(output, run.run_id),
        run_id=run.run_id,
        board=run.board.name,
        bench=run.bench.name,
        simulated=run.simulated,
    )
