"""What a file may not say: whose error limits hold (`--instrument`), and the voltage (`--supply-v`)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pytest_lan_hil.instruments import joulescope_models, ppk2_models
from pytest_lan_hil.model.capture import Accuracy, Capture, InstrumentIdentity
from pytest_lan_hil.model.errors import InputError

# One sample in a quarter of an hour, and faster than any instrument that samples current.
_SLOWEST_HZ, _FASTEST_HZ = 1e-3, 1e9
_SUPPLY_FIX = "give the supply voltage: --supply-v 3.0, or in a bench replay:FILE?supply_v=3.0"


@dataclass(frozen=True, slots=True)
class Recorder:
    """Who recorded a file, as far as anybody knows.

    Attributes:
        identity: For the capture.
        accuracy: Its error limits; all zero, and not known, where nobody is named.
        notes: What a reader of any number must know about that.
    """

    identity: InstrumentIdentity
    accuracy: Accuracy
    notes: tuple[str, ...] = ()


_UNNAMED = Accuracy(
    0.0, 0.0, 0.0, 0.0, 0.0, source="instrument not named: its error is not included", known=False
)
_UNNAMED_NOTE = (
    "the file does not say which instrument recorded it: the uncertainty holds no error of an instrument"
    " (--instrument js110 adds it, or in a bench replay:FILE?instrument=js110)"
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


def with_limits_of(capture: Capture, name: str) -> Capture:
    """The capture with the error limits of the instrument that `name` stands for.

    Who recorded it, and whether that was simulated, stays as the file has it.

    Raises:
        InputError: There is no such name.
    """
    accuracy = recorder(name).accuracy
    if accuracy.current_ranges == capture.accuracy.current_ranges:
        return replace(capture, accuracy=accuracy)
    # Ranges are numbered as in the limits that the file came with.
    return replace(capture, accuracy=accuracy, ranges=None)


def require_supply(supply_v: float | None, what: str) -> float:
    """The supply voltage that a file needs because it holds none.

    Raises:
        InputError: It is missing, or not a voltage that a board could run on.
    """
    if supply_v is None:
        raise InputError(f"{what} holds no voltage", fix=_SUPPLY_FIX)
    if not 0 < supply_v < 1000:
        raise InputError(f"a supply of {supply_v:g} V can't be meant", fix=_SUPPLY_FIX)
    return supply_v


def at_supply(capture: Capture, supply_v: float) -> Capture:
    """A capture of power alone, and its factors beside it: power by the supply voltage, and that voltage.

    The power stays what is integrated; the factors tell what offsets of current and voltage do to it.
    """
    if capture.power_w is None or len(capture.current_a):
        return capture
    return replace(
        capture,
        current_a=(capture.power_w / supply_v).astype(np.float32),
        voltage_v=np.broadcast_to(np.float32(supply_v), capture.power_w.shape),
        supply="assumed",
        notes=(*capture.notes, f"the file holds power; its current is that power by {supply_v:g} V"),
    )


def require_rate(rate_hz: float, what: str) -> float:
    """A sample rate that a file may have; `what` starts the sentence: "x.npz: its sample_rate_hz".

    Raises:
        InputError: It is not a number, or one that no instrument has.
    """
    if not _SLOWEST_HZ <= rate_hz <= _FASTEST_HZ:
        raise InputError(
            f"{what} is {rate_hz:g} Hz, expected {_SLOWEST_HZ:g} to {_FASTEST_HZ:g}",
            fix="the file is damaged: fetch it again, or write it again",
        )
    return rate_hz
