"""`--hil-ab`, the pytest side: every test that uses `dut` once in each step, one step after the other.

Registered only in such a session. What the steps are, and what is made of them: `run.ab`.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from _pytest.config.findpaths import determine_setup

from pytest_lan_hil.collection import STEP, asked, is_for_its_board, planned, step_of, uses_board
from pytest_lan_hil.fixtures import COMPARED, SESSION

_OWN_IMAGE = "--hil-ab compares two images, and this test flashes one of its own (@pytest.mark.firmware)"
_NO_IMAGE = "--hil-ab compares two images, and this test flashes none (it doesn't use `dut`)"


def check(config: pytest.Config) -> None:
    """Refuse workers of xdist, which keep no order of steps, and a root that is not the project.

    Raises:
        UsageError: There are workers, or pytest looks for the project where the images are.
    """
    if hasattr(config, "workerinput") or getattr(config.option, "dist", "no") != "no":
        raise pytest.UsageError(
            "--hil-ab: both images take turns on one board, which xdist's workers can't keep to\n"
            "  fix: leave out -n and --dist, or give -n 0"
        )
    rootdir, inifile = _without_images(config)
    if (rootdir, inifile) != (config.rootpath, config.inipath):
        fix = f"-c {inifile}" if inifile is not None else f"--rootdir {rootdir}"
        raise pytest.UsageError(
            f"--hil-ab: pytest takes the images for tests and {config.rootpath} for the project"
            f" (settings: {config.inipath or 'none'}), which is in {rootdir}\n  fix: add {fix}"
        )


def _without_images(config: pytest.Config) -> tuple[Path, Path | None]:
    """Root directory and ini file that pytest finds if the images are not named.

    It looks for them before it loads plugins, that is, before it can know that --hil-ab takes two files
    (https://docs.pytest.org/en/stable/reference/customize.html#initialization-determining-rootdir-and-inifile).
    """
    given = list(config.invocation_params.args)
    at = next((place for place, one in enumerate(given) if str(one) == "--hil-ab"), None)
    option = config.known_args_namespace
    if at is None or option.inifilename:
        return config.rootpath, config.inipath
    known = {
        "inifile": None,
        "override_ini": None,
        "args": [str(one) for one in given[:at] + given[at + 3 :]],
        "rootdir_cmd_arg": option.rootdir,
        "invocation_dir": config.invocation_params.dir,
    }
    wanted = inspect.signature(determine_setup).parameters  # pytest 9 has one more than pytest 8
    rootdir, inifile, *_ = determine_setup(**{name: known[name] for name in wanted})
    return rootdir, inifile


@pytest.fixture(autouse=True)
def hil_step(request: pytest.FixtureRequest) -> object:
    """The step that the test runs in; None for a test that has none."""
    return getattr(request, "param", None)


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that uses `dut`, with the image under test, once in each step."""
    sides = metafunc.config.stash[SESSION].sides
    item = metafunc.definition
    if sides is None or not uses_board(item) or _why_not(item) is not None:
        return
    metafunc.parametrize(STEP, sides.steps, ids=[step.name for step in sides.steps], indirect=True)


def _why_not(item: pytest.Item) -> str | None:
    """Why a test has no place in the steps; None if it has."""
    if item.get_closest_marker("firmware") is not None:
        return _OWN_IMAGE
    return None if "dut" in getattr(item, "fixturenames", ()) else _NO_IMAGE


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of a step before the first of the next; what has no place in the steps skips."""
    for item in items:
        if uses_board(item) and is_for_its_board(item):
            reason = _why_not(item)
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=reason))
    items.sort(key=_number)


def _number(item: pytest.Item) -> int:
    step = step_of(item)
    return step.number if step is not None else 0


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Count the comparisons, and let every test know the step that it measures for."""
    from pytest_lan_hil.model.errors import CapabilityMissing

    hil = session.config.stash[SESSION]
    sides = hil.sides
    if sides is None:
        return
    for item in planned(session.items):
        step = step_of(item)
        if step is None:
            continue
        try:
            margins = asked(item, hil).margins
        except CapabilityMissing:
            continue  # it will skip
        item.stash[COMPARED] = sides.at(item.nodeid, step, margins)
        if step == sides.steps[-1]:
            sides.family += len(margins)
