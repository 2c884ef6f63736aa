"""`--hil-until-decided`: a test again and again, until what it is compared with is decided.

Each repeat is a test of its own to the fixtures, to the DUT, which is reset, and to the run record. To
everybody who reads pytest's reports (terminal, JUnit, xdist) there is one test: the last repeat.

Loaded only where a test may be repeated.
"""

from __future__ import annotations

import pytest
from _pytest.runner import runtestprotocol  # what every plugin that repeats tests uses

from pytest_lan_hil.fixtures import COMPARED
from pytest_lan_hil.run.comparing import ComparedTest


def run_until_decided(item: pytest.Item, nextitem: pytest.Item | None, compared: ComparedTest) -> None:
    """Run a test until its comparisons want no further repeat, or it does not pass; then report it.

    Args:
        item, nextitem: Of pytest's `pytest_runtest_protocol`.
        compared: The test's comparisons: it says after each repeat whether it wants another.
    """
    given = list(item.user_properties)
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    item.stash[COMPARED] = compared
    try:
        while True:
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            if not (compared.wants_another and all(report.passed for report in reports)):
                break
            item.user_properties[:] = given
            item._report_sections.clear()  # what the last repeat printed is shown, not what all did
    finally:
        del item.stash[COMPARED]
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
