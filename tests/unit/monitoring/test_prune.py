"""Which groups of a Pushgateway go: only ours, only of benches that are gone, only if nobody pushes to it."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_lan_hil.publish.pushgateway import PushedGroup
from pytest_lan_hil.run.monitor.prune import Known, judge

KNOWN = Known(job="lan_hil", boards={"nrf52840"}, benches={"virtual", "desk"}, since_s=1000.0)
OURS = {"job": "lan_hil", "board": "nrf52840", "bench": "desk"}


def goes(known: Known = KNOWN, pushed_s: float = 10.0, **labels: str) -> tuple[bool, str]:
    (found,) = judge([PushedGroup({**OURS, **labels}, pushed_s)], known)
    return found.goes, found.reason


def test_a_bench_that_is_described_stays() -> None:
    assert goes() == (False, "its board and its bench are described here")


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"bench": "old"}, "nothing describes bench old"),
        ({"board": "old"}, "nothing describes board old"),
        ({"board": "old", "bench": "older"}, "nothing describes board old or bench older"),
    ],
)
def test_a_board_or_bench_that_nothing_describes_goes(labels: dict[str, str], reason: str) -> None:
    assert goes(**labels) == (True, reason)


def test_one_that_is_still_pushed_to_stays() -> None:
    went, reason = goes(pushed_s=1001.0, bench="old")
    assert not went
    assert "pushed to lately" in reason


def test_a_group_of_another_job_or_key_is_not_ours() -> None:
    assert not goes(job="other", bench="old")[0]
    assert not goes(bench="old", instance="x")[0]
    (found,) = judge([PushedGroup({"job": "lan_hil"}, 0.0)], KNOWN)
    assert not found.goes


def test_a_bench_that_is_named_goes_at_once_and_no_other() -> None:
    named = dataclasses.replace(KNOWN, gone={"desk"})
    assert goes(named, pushed_s=2000.0)[0]
    assert not goes(named, bench="old")[0]
    assert not goes(named, job="other")[0]


def test_the_oldest_is_told_first() -> None:
    groups = [PushedGroup({**OURS, "bench": str(age)}, float(age)) for age in (3, 1, 2)]
    assert [found.group.labels["bench"] for found in judge(groups, KNOWN)] == ["1", "2", "3"]
