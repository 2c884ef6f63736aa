"""Whose error limits hold for a file that does not say who recorded it: what `--instrument` may name."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_lan_hil.instruments import joulescope_models, ppk2_models
from pytest_lan_hil.model.capture import Accuracy, InstrumentIdentity
from pytest_lan_hil.model.errors import InputError


@dataclass(frozen=True, slots=True)
class Recorder:
    """Who recorded a file, as far as anybody knows.

    Attributes:
        identity: For the capture.
        accuracy: Its error limits; all zero where nobody is named.
        notes: What a reader of any number must know about that.
    """

    identity: InstrumentIdentity
    accuracy: Accuracy
    notes: tuple[str, ...] = ()


_UNNAMED = Accuracy(0.0, 0.0, 0.0, 0.0, 0.0, source="instrument not named: its error is not included")
_UNNAMED_NOTE = (
    "the file does not say which instrument recorded it: the uncertainty holds no error of an instrument"
    " (--instrument js110 adds it)"
)

#: Name to the recorder that it stands for.
KNOWN: dict[str, Recorder] = {
    **{
        name: Recorder(
            InstrumentIdentity(f"Joulescope {name.upper()}", "", notes=joulescope_models.NOTES), accuracy
        )
        for name, accuracy in joulescope_models.ACCURACY.items()
    },
    "ppk2": Recorder(
        InstrumentIdentity("Nordic PPK2", "", notes=ppk2_models.NOTES), ppk2_models.ACCURACY["ampere"]
    ),
    "ppk2-source": Recorder(
        InstrumentIdentity("Nordic PPK2", "", notes=ppk2_models.NOTES), ppk2_models.ACCURACY["source"]
    ),
}


def recorder(name: str | None, *, otherwise: str = "") -> Recorder:
    """The recorder that `name` stands for.

    Args:
        name: What the user says, None for nothing.
        otherwise: What the file is then called, for instance "Joulescope, model not told".

    Raises:
        InputError: There is no such name.
    """
    if name is None:
        identity = InstrumentIdentity(otherwise or "unnamed instrument", "", notes=(_UNNAMED_NOTE,))
        return Recorder(identity, _UNNAMED, (_UNNAMED_NOTE,))
    found = KNOWN.get(name.lower())
    if found is None:
        raise InputError(
            f"there are no error limits for instrument {name!r}",
            fix=f"name one of {', '.join(sorted(KNOWN))}, or leave the instrument out: its error is then not"
            " included, and the result says so",
        )
    return found


def require_supply(supply_v: float | None, what: str) -> float:
    """The supply voltage that a file needs because it holds none.

    Raises:
        InputError: It is missing, or not a voltage that a board could run on.
    """
    if supply_v is None:
        raise InputError(f"{what} holds no voltage", fix="give the supply voltage: --supply-v 3.0")
    if not 0 < supply_v < 1000:
        raise InputError(
            f"a supply of {supply_v:g} V can't be meant",
            fix="give the board's supply voltage: --supply-v 3.0",
        )
    return supply_v
