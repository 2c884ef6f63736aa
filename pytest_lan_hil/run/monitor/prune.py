"""Which groups of a Pushgateway belong to benches that are gone, and their deletion, each by its exact key.

A gateway keeps a group until somebody deletes it. Only groups of our own job and of exactly the key that runs
push (job, board, bench) are looked at; of those, the ones whose board or bench nobody describes any more, and
that nobody has pushed to for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from pytest_lan_hil.publish.pushgateway import PushedGroup, PushResult, delete

_KEY = {"job", "board", "bench"}


@dataclass(frozen=True, slots=True)
class Known:
    """What stays.

    Attributes:
        job: Of the runs that are ours.
        boards, benches: Names that the project describes.
        since_s: Unix time; whatever was pushed later stays, described or not.
        gone: Benches that are gone for certain, whatever else is known of them.
    """

    job: str
    boards: Collection[str]
    benches: Collection[str]
    since_s: float
    gone: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A group, and why it goes or stays."""

    group: PushedGroup
    goes: bool
    reason: str


def judge(groups: Sequence[PushedGroup], known: Known) -> list[Finding]:
    """What to do with each group, oldest first."""
    return [
        Finding(group, *_judge_one(group, known))
        for group in sorted(groups, key=lambda group: group.pushed_s)
    ]


def _judge_one(group: PushedGroup, known: Known) -> tuple[bool, str]:
    labels = group.labels
    if set(labels) != _KEY:
        return False, "not the key of a run (job, board, bench)"
    if labels["job"] != known.job:
        return False, f"another job than {known.job}"
    if labels["bench"] in known.gone:
        return True, "its bench was named as gone"
    if known.gone:
        return False, "its bench was not named"
    missing = [
        f"{kind} {labels[kind]}"
        for kind, names in (("board", known.boards), ("bench", known.benches))
        if labels[kind] not in names
    ]
    if not missing:
        return False, "its board and its bench are described here"
    why = f"nothing describes {' or '.join(missing)}"
    if group.pushed_s > known.since_s:
        return False, f"{why}, but it was pushed to lately"
    return True, why


def carry_out(
    findings: Sequence[Finding], url: str, *, timeout_s: float, told: Callable[[Finding, PushResult], None]
) -> bool:
    """Delete what goes; True if all of it went. Ends at the first that gets no answer at all."""
    for finding in findings:
        if not finding.goes:
            continue
        result = delete(finding.group, url, timeout_s=timeout_s)
        told(finding, result)
        if not result.ok:
            return False
    return True
