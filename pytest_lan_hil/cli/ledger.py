"""What `lan-hil history`, `query` and `tag` share: the ledger of the project, and which runs are meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from pytest_lan_hil.cli.output import note
from pytest_lan_hil.cli.project import find_project
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.publish.ledger import Ledger, Place, RunFilter

_AGE = re.compile(r"(\d+)([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_DATE = re.compile(r"\d{4}-\d\d-\d\d.*")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Options that both commands have, as given.

    Attributes:
        board, bench, branch, quantity: Only of these; None for any.
        since: A date, an age ("30d"), or what `Ledger.resolve` knows.
        unjudged: Also what no budget and no baseline asks about.
        output: Folder of run records.
    """

    board: str | None = None
    bench: str | None = None
    branch: str | None = None
    quantity: str | None = None
    since: str | None = None
    unjudged: bool = False
    output: str | None = None


@contextmanager
def project_ledger(output: str | None) -> Iterator[Ledger]:
    """The ledger of the project, or of the folder given; what is wrong with it is said on stderr.

    Raises:
        InputError: See `Ledger.open`.
    """
    with Ledger.open(find_project().output(output)) as ledger:
        try:
            yield ledger
        finally:
            for problem in ledger.problems:
                note(f"warning: {problem}")


def run_filter(ledger: Ledger, wanted: Wanted) -> RunFilter:
    """The runs that are meant.

    Raises:
        InputError: `since` is neither a time nor a run.
    """
    among = RunFilter(board=wanted.board or "", bench=wanted.bench or "", branch=wanted.branch or "")
    if wanted.since is None:
        return among
    time = since_time(wanted.since, datetime.now(timezone.utc))
    if time is not None:
        return _replaced(among, since=time)
    first = ledger.resolve(wanted.since, among)[0]
    return _replaced(among, from_number=first.number)


def _replaced(among: RunFilter, *, since: str = "", from_number: int = 0) -> RunFilter:
    return RunFilter(
        board=among.board, bench=among.bench, branch=among.branch, since=since, from_number=from_number
    )


def since_time(text: str, now: datetime) -> str | None:
    """ "2026-11-01", "2026-11-01T08:00+01:00", "36h", "30d", "4w" as the ledger writes times; None for
    anything else.

    Raises:
        InputError: It looks like a date and is none.
    """
    age = _AGE.fullmatch(text)
    if age:
        try:
            time = now - timedelta(hours=int(age[1]) * _HOURS[age[2]])
        except OverflowError:
            raise InputError(
                f"--since {text}: nobody measured that long ago", fix="give a date, or a shorter age"
            ) from None
    elif _DATE.fullmatch(text):
        try:
            time = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError as error:
            raise InputError(
                f"--since {text} is not a date: {error}", fix="as in --since 2026-11-01 or --since 30d"
            ) from None
        time = time.replace(tzinfo=time.tzinfo or timezone.utc).astimezone(timezone.utc)
    else:
        return None
    return f"{time:%Y-%m-%dT%H:%M:%S}"


def nothing_found(ledger: Ledger, wanted: Wanted) -> InputError:
    """No measurement is as wanted: what there is instead."""
    places = ledger.places()
    asked = [
        f"{name} {value}"
        for name, value in (
            ("board", wanted.board),
            ("bench", wanted.bench),
            ("branch", wanted.branch),
            ("quantity", wanted.quantity),
            ("since", wanted.since),
        )
        if value
    ]
    what = f" of {', '.join(asked)}" if asked else ""
    judged = "" if wanted.unjudged else "; `--unjudged` shows what no budget and no baseline asks about"
    return InputError(
        f"the ledger {ledger.path} has no measurement{what}; it has {_there(ledger, places)}",
        fix=f"ask for one of those{judged}",
    )


def _there(ledger: Ledger, places: tuple[Place, ...]) -> str:
    if not places:
        return "no plain run at all"
    told = [
        f"{place.board} on {place.bench}{' (simulated)' if place.simulated else ''}: {place.runs} runs"
        for place in places
    ]
    newest = ledger.measurements(RunFilter(newest=20), judged_only=False)
    quantities = sorted({one.subject.quantity for one in newest})
    return f"{'; '.join(told)}; of late {', '.join(quantities) or 'without a measurement'}"
