"""`lan-hil virtual`: reached through the entry-point group `pytest_lan_hil.virtual_state`.

The command line may not import the virtual bench (nothing may). An entry is a module or object with

    list_states() -> Sequence[Mapping[str, str]]    keys "name", "state" (in words), "path"
    reset_state(name: str) -> bool                  False if there was nothing to forget
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import Protocol, cast

from pytest_lan_hil.cli.output import note, print_json, print_table
from pytest_lan_hil.config.fields import nearest
from pytest_lan_hil.model.errors import InputError

GROUP = "pytest_lan_hil.virtual_state"


class StateKeeper(Protocol):
    """What an entry of the group offers."""

    def list_states(self) -> Sequence[Mapping[str, str]]:
        """Every board it emulates, whether or not it keeps state now."""
        ...

    def reset_state(self, name: str) -> bool:
        """Forget a board's state; False if there was none."""
        ...


def list_all(*, as_json: bool) -> None:
    """Print every virtual board and its state."""
    states = [dict(state) for keeper in _keepers() for state in keeper.list_states()]
    if as_json:
        print_json(states)
    else:
        print_table(
            ("virtual", "state", "file"), [(state["name"], state["state"], state["path"]) for state in states]
        )


def reset(name: str | None) -> None:
    """Forget the state of one virtual board, or of all.

    Raises:
        InputError: no virtual board has this name.
    """
    keepers = {state["name"]: keeper for keeper in _keepers() for state in keeper.list_states()}
    if name is not None and name not in keepers:
        near = nearest(name, list(keepers))
        hint = f"did you mean {near}? " if near else ""
        raise InputError(f'there is no virtual "{name}"', fix=f"{hint}there are: {', '.join(keepers)}")
    for each in [name] if name is not None else sorted(keepers):
        forgotten = keepers[each].reset_state(each)
        note(f"{each}: {'state forgotten' if forgotten else 'kept no state'}")


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
