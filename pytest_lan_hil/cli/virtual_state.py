"""`lan-hil virtual`: reached through the entry-point group `pytest_lan_hil.virtual_state`.

The command line may not import the virtual bench (nothing may). An entry is a module or object that has the
members of `StateKeeper`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

from pytest_lan_hil.cli.output import note, print_json, print_table
from pytest_lan_hil.cli.project import find_project
from pytest_lan_hil.config import list_boards, read_board
from pytest_lan_hil.config.fields import nearest
from pytest_lan_hil.model.errors import ConfigError, InputError

GROUP = "pytest_lan_hil.virtual_state"


class State(Protocol):
    """What one virtual board keeps: its name, its directory, the size of its file, and who holds it."""

    @property
    def name(self) -> str: ...  # noqa: D102 - said above
    @property
    def directory(self) -> Path: ...  # noqa: D102
    @property
    def stored_bytes(self) -> int: ...  # noqa: D102
    @property
    def owner_pid(self) -> int | None: ...  # noqa: D102


class StateKeeper(Protocol):
    """What an entry of the group offers."""

    def list_states(self) -> Sequence[State]:
        """Every virtual board that has ever been used here."""
        ...

    def reset_state(self, name: str) -> bool:
        """Forget a board's state; False if there was none."""
        ...


def list_all(*, as_json: bool) -> None:
    """Print every virtual board that keeps state."""
    states = [state for keeper in _keepers() for state in keeper.list_states()]
    if as_json:
        print_json(
            [
                {
                    "name": state.name,
                    "stored_bytes": state.stored_bytes,
                    "owner_pid": state.owner_pid,
                    "directory": str(state.directory),
                }
                for state in states
            ]
        )
    elif states:
        print_table(
            ("virtual", "state", "in use by", "directory"),
            [(state.name, _kept(state), _user(state), str(state.directory)) for state in states],
        )
    else:
        note("no virtual board has been used here yet")


def reset(name: str | None) -> None:
    """Forget the state of one virtual board, or of all.

    Raises:
        InputError: no virtual board has this name.
        LeaseError: the board is in use.
    """
    keepers = _keepers()
    used = [state.name for keeper in keepers for state in keeper.list_states()]
    if name is not None and name not in used:
        known = sorted({*used, *_silicon()})
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}? " if near else ""
            raise InputError(f'there is no virtual "{name}"', fix=f"{hint}there are: {', '.join(known)}")
    for each in [name] if name is not None else used:
        # every keeper is asked: a name belongs to one of them
        forgotten = [keeper.reset_state(each) for keeper in keepers]
        note(f"{each}: {'state forgotten' if any(forgotten) else 'kept no state'}")


def _kept(state: State) -> str:
    return f"{state.stored_bytes} bytes stored" if state.stored_bytes else "erased"


def _user(state: State) -> str:
    return f"process {state.owner_pid}" if state.owner_pid is not None else "nobody"


def _silicon() -> set[str]:
    """The virtual silicon that the known boards name; a wrong board file names none."""
    names = set()
    for entry in list_boards(find_project().search()):
        try:
            names.add(read_board(entry.path).virtual)
        except ConfigError:
            continue
    return {name for name in names if name is not None}


def _keepers() -> list[StateKeeper]:
    try:
        keepers = [cast("StateKeeper", entry.load()) for entry in entry_points(group=GROUP)]
    except ImportError as error:
        raise InputError(
            f"the virtual bench can't be loaded: {error}", fix='pip install "pytest-lan-hil[virtual]"'
        ) from error
    if not keepers:
        raise InputError("no virtual bench is installed", fix='pip install "pytest-lan-hil[virtual]"')
    return keepers
