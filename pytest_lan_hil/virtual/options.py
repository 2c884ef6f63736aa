"""What the URIs of all virtual instruments have in common: known options, numbers, a supply voltage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.names import silicon_of


def refuse_unknown(instrument: str, unknown: Sequence[str], known: str) -> None:
    """Refuse the first option that an instrument does not have.

    Args:
        instrument: What messages call it: "Joulescope".
        unknown: Names that it does not know.
        known: Those that it does, as text.

    Raises:
        InputError: There is one.
    """
    if unknown:
        raise InputError(
            f"the virtual {instrument} has no option {min(unknown)!r}", fix=f"options are: {known}"
        )


@contextmanager
def understood(instrument: str, example: str) -> Iterator[None]:
    """Around the reading of values: what can't be read is told with an example.

    Raises:
        InputError: A value is missing, no number or no pin.
    """
    try:
        yield
    except (KeyError, ValueError) as error:
        raise InputError(
            f"the virtual {instrument}'s options are wrong: {error}", fix=f"write for instance {example}"
        ) from error


def require_supply(target: str, supply_v: float) -> None:
    """Refuse a supply voltage that would destroy the virtual chip. One below its range holds it in reset.

    Args:
        target: Board.
        supply_v: In volts.

    Raises:
        InputError: Not above 0, or above the chip's range.
    """
    silicon = silicon_of(target)
    low, high = silicon.supply_v
    if not 0 < supply_v <= high:
        raise InputError(
            f"supply_v={supply_v:g} is outside the {silicon.title}'s range",
            fix=f"{low:g} to {high:g} V ({silicon.supply_source}); below {low:g} V it is held in reset",
        )


def wired_pins(target: str, options: Mapping[str, str], lines: Iterable[str]) -> dict[str, str]:
    """The pin that each line of an instrument is wired to, for those that are.

    Raises:
        ValueError: Not a pin of the board's chip.
        InputError: There is no such board.
    """
    pins = silicon_of(target).pins
    return {line: pins.canonical(options[line]) for line in lines if options.get(line)}


def faults_of(options: Mapping[str, str]) -> Faults:
    """Faults of the environment, and those that the URI adds."""
    return Faults.from_environment().plus(options.get("fault", ""))
