"""`lan-hil monitor prune`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from pytest_lan_hil.cli.ledger import since_time
from pytest_lan_hil.cli.output import note, print_table
from pytest_lan_hil.cli.project import find_project
from pytest_lan_hil.config import list_benches, list_boards
from pytest_lan_hil.model.errors import BlockedError, InputError
from pytest_lan_hil.publish.openmetrics import unix_time
from pytest_lan_hil.publish.pushgateway import PushedGroup, PushResult, groups
from pytest_lan_hil.run.monitor.prune import Finding, Known, carry_out, judge

DEFAULT_JOB = "lan_hil"


def prune(
    url: str | None, *, job: str | None, older_than: str, gone: Sequence[str], dry_run: bool, timeout_s: float
) -> int:
    """Tell what goes and what stays, and delete what goes unless `dry_run`; returns 3 if something is left.

    Raises:
        InputError: No Pushgateway is named, or an age is none.
        BlockedError: The gateway can't be asked.
    """
    project = find_project()
    gateway = project.setting(url, "pushgateway")
    if gateway is None:
        raise InputError(
            "no Pushgateway is named (--pushgateway, LAN_HIL_PUSHGATEWAY, hil_pushgateway in the ini file)",
            fix="lan-hil monitor prune --pushgateway http://HOST:9091",
        )
    search = project.search()
    known = Known(
        job=project.setting(job, "job") or DEFAULT_JOB,
        boards={found.name for found in list_boards(search)},
        benches={found.name for found in list_benches(search)},
        since_s=_since(older_than),
        gone=frozenset(gone),
    )
    findings = judge(groups(gateway, timeout_s=timeout_s), known)
    if not findings:
        print("the gateway holds no group")
        return 0
    unknown = sorted(set(gone) - {finding.group.labels.get("bench", "") for finding in findings})
    if unknown:
        note(f"lan-hil: the gateway has no group of bench {', '.join(unknown)}")
    print_table(
        ("group", "last push", "", "why"),
        [(_key(f.group), _when(f.group.pushed_s), "goes" if f.goes else "stays", f.reason) for f in findings],
    )
    if dry_run or not any(finding.goes for finding in findings):
        note("nothing was deleted")
        return 0
    done = carry_out(findings, gateway, timeout_s=timeout_s, told=_tell)
    return 0 if done else BlockedError.exit_code


def _since(older_than: str) -> float:
    """Unix time from which on a push is recent."""
    now = datetime.now(timezone.utc)
    if older_than == "0":
        return now.timestamp()
    since = since_time(older_than, now)
    if since is None:
        raise InputError(
            f"--older-than {older_than!r} is no age", fix="write for example --older-than 7d (or 36h, 4w, 0)"
        )
    return unix_time(since)


def _tell(finding: Finding, result: PushResult) -> None:
    del finding
    (print if result.ok else note)(result.detail)


def _key(group: PushedGroup) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(group.labels.items()))


def _when(pushed_s: float) -> str:
    if not pushed_s:
        return "never taken"
    return datetime.fromtimestamp(pushed_s, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
