"""What stands in an `.npz` file of ours, checked one by one: a damaged array is refused by its name."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NoReturn

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from pytest_lan_hil.instruments.files.limits import require_rate
from pytest_lan_hil.model.capture import Accuracy, Capture, EdgeLine, InstrumentIdentity, TimeMap
from pytest_lan_hil.model.errors import InputError

LAYOUT = "see the layout in docs/how-to/analyze-a-trace.md"
# What numpy and zipfile raise for files that are damaged, encrypted or no archives at all.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    OverflowError,
    MemoryError,
    RuntimeError,
)
_NUMBERS, _WHOLE = "iuf", "iu"
_Positive = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class EdgeMeta:
    """What `meta` says of a marker line known by time stamps: see `EdgeLine`."""

    high_at_start: bool = False
    duration_s: _Positive | None = None
    resolution_s: _Positive | None = None
    jitter_s: _Positive = 0.0
    tie_s: _Positive = 0.0
    lost: tuple[tuple[float, float], ...] = ()
    timebase: _Positive | None = None

    def line(self, times_s: NDArray[np.float64], capture: Capture) -> EdgeLine:
        """The line; time stamps are as fine as a sample, and it was watched throughout, unless told else."""
        return EdgeLine(
            times_s=times_s,
            high_at_start=self.high_at_start,
            duration_s=capture.duration_s if self.duration_s is None else self.duration_s,
            resolution_s=1 / capture.sample_rate_hz if self.resolution_s is None else self.resolution_s,
            jitter_s=self.jitter_s,
            tie_s=self.tie_s,
            lost=self.lost,
            timebase=self.timebase,
        )


@dataclass(frozen=True, slots=True)
class Meta:
    """Everything of a capture that is no array: see `Capture`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, allow_inf_nan=False)

    instrument: InstrumentIdentity | None = None
    accuracy: Accuracy | None = None
    supply: Literal["measured", "assumed", "none"] | None = None
    complete: bool = True
    start_s: float | None = None
    start_error_s: _Positive = 0.0
    time_map: TimeMap | None = None
    notes: tuple[str, ...] = ()
    edges: dict[str, EdgeMeta] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arrays:
    """The arrays of a file.

    Attributes:
        path: The file.
        found: Name to array.
    """

    path: Path
    found: Mapping[str, NDArray[Any]]

    @classmethod
    def of(cls, path: Path) -> Arrays:
        """Read them.

        Raises:
            InputError: It is no archive of arrays, or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                found = {name: archive[name] for name in archive.files}
        except _DAMAGED as error:
            raise InputError(f"{path} is not a capture of ours: {error}", fix=LAYOUT) from error
        # What is no array in the archive is handed out as bytes.
        strange = [name for name, array in found.items() if isinstance(array, bytes)]
        if strange:
            raise InputError(f"{path} is not a capture of ours: {strange[0]} is no array", fix=LAYOUT)
        return cls(path, found)

    def refuse(self, name: str, expected: str) -> NoReturn:
        """Raise InputError for an array that is not as `expected`."""
        array = self.found[name]
        raise InputError(
            f"{self.path}: {name} has shape {array.shape} of {array.dtype}, expected {expected}", fix=LAYOUT
        )

    def samples(
        self, name: str, dtype: DTypeLike | None = None, *, dimensions: Sequence[int] = (1,)
    ) -> NDArray[Any]:
        """Real numbers, as `dtype` or else as float32 or float64; shape (0,) where there is no such array.

        Raises:
            InputError: Of another kind or shape.
        """
        array = self.found.get(name, np.empty(0, np.float32))
        if array.dtype.kind not in _NUMBERS or array.ndim not in dimensions:
            self.refuse(name, "numbers of shape (n,)" + (" or ()" if 0 in dimensions else ""))
        if dtype is None:
            dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.float64
        with np.errstate(over="ignore"):  # becomes infinite, which the caller refuses
            return array.astype(dtype, copy=False)

    def whole_numbers(self, name: str, *, dimensions: int = 1) -> NDArray[np.int64]:
        """Whole numbers; empty where there is no such array.

        Raises:
            InputError: Of another kind or shape.
        """
        array = self.found.get(name)
        if array is None or not array.size:
            return np.empty((0,) * dimensions, np.int64)
        if array.dtype.kind not in _WHOLE or array.ndim != dimensions:
            self.refuse(name, f"whole numbers in {dimensions} dimension{'s' if dimensions > 1 else ''}")
        return array.astype(np.int64, copy=False)

    def rate(self, name: str) -> float:
        """A sample rate in Hz.

        Raises:
            InputError: It is not there, or no rate that an instrument has.
        """
        if name not in self.found:
            raise InputError(f"{self.path} has no {name}", fix=LAYOUT)
        array = self.found[name]
        if array.dtype.kind not in _NUMBERS or array.ndim:
            self.refuse(name, "one number")
        return require_rate(float(array), f"{self.path}: its {name}")

    def count(self, name: str) -> int:
        """A number of samples, from 1.

        Raises:
            InputError: It is no such number.
        """
        array = self.found[name]
        if array.dtype.kind not in _WHOLE or array.ndim or array < 1:
            shown = f"{array}" if not array.ndim else f"of shape {array.shape}"
            raise InputError(f"{self.path}: {name} is {shown}, expected a whole number from 1", fix=LAYOUT)
        return int(array)

    def meta(self) -> Meta:
        """What `meta` says; nothing where it is not there.

        Raises:
            InputError: It is not such JSON, or a figure in it can't be.
        """
        try:
            found = _meta().validate_json(str(self.found.get("meta", "{}")))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, ("meta", *first["loc"])))
            raise InputError(
                f"{self.path} is not a capture of ours: {place}: {first['msg']}", fix=LAYOUT
            ) from error
        limits = found.accuracy
        negative = [] if limits is None else _negative(limits)
        if negative:
            raise InputError(
                f"{self.path}: meta.accuracy: {negative[0]}, and no error limit is negative", fix=LAYOUT
            )
        return found


def _negative(limits: Accuracy) -> list[str]:
    """The figures below 0, among those that can't be."""
    figures = {one.name: getattr(limits, one.name) for one in fields(limits)}
    del figures["reference_c"]
    for number, one in enumerate(limits.current_ranges):
        figures |= {
            f"current_ranges.{number}.{name}": getattr(one, name) for name in ("limit_a", "gain", "offset_a")
        }
    return [
        f"{name} is {value:g}" for name, value in figures.items() if isinstance(value, float) and value < 0
    ]


@lru_cache(maxsize=1)
def _meta() -> TypeAdapter[Meta]:
    return TypeAdapter(Meta)
