"""What the URIs of all virtual instruments have in common: known options, numbers, a supply voltage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.virtual.faults import Faults


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


def require_supply(supply_v: float) -> None:
    """Refuse a supply voltage that the virtual chip can't have.

    Raises:
        InputError: Outside 1.7 to 3.6 V.
    """
    if not 1.7 <= supply_v <= 3.6:
        raise InputError(
            f"supply_v={supply_v:g} is outside the nRF52840's range",
            fix="1.7 to 3.6 V (PS, recommended conditions)",
        )


def faults_of(options: Mapping[str, str]) -> Faults:
    """Faults of the environment, and those that the URI adds."""
    return Faults.from_environment().plus(options.get("fault", ""))
