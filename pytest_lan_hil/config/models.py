"""What a board file and a bench file may say: typed, frozen, unknown keys forbidden.

The classes describe one file each; finding the file is `search`, joining the two is `wiring`. Field examples
are shown to the user whose file lacks the key or has it wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from pytest_lan_hil.config import uris
from pytest_lan_hil.config.fields import (
    ImagePath,
    InstrumentInput,
    MarkerName,
    Name,
    Names,
    Pin,
    nearest,
    refuse_double,
    wrong,
)
from pytest_lan_hil.model.errors import ImageError
from pytest_lan_hil.model.quantities import QUANTITIES

ADDRESS_SPACE = 1 << 32


class _Description(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
    _path: Path = PrivateAttr(default=Path())

    @property
    def path(self) -> Path:
        """The file it was read from."""
        return self._path


class MemoryRange(BaseModel):
    """A contiguous memory of the silicon."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    start: int = Field(ge=0, lt=ADDRESS_SPACE, examples=["0x2000_0000"])
    """First address."""
    size_kib: int = Field(gt=0, le=ADDRESS_SPACE // 1024, examples=[256])
    """Size in KiB (1024 bytes)."""

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.size_kib * 1024

    @property
    def end(self) -> int:
        """First address behind it."""
        return self.start + self.size

    def __contains__(self, address: int) -> bool:
        return self.start <= address < self.end


class _TargetTable(BaseModel):
    """Budgets that this board must meet; a quantity that is left out is not judged."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Targets = create_model(
    "Targets",
    __base__=_TargetTable,
    **cast(
        "dict[str, Any]",
        {
            row.target_key: (
                float | None,
                Field(default=None, gt=0, description=f"{row.help}, {row.unit}.", examples=[1.2]),
            )
            for row in QUANTITIES.values()
        },
    ),
)


def _no_targets() -> BaseModel:
    return Targets()


class Board(_Description):
    """A kind of device under test: silicon, images, supply, marker lines, targets."""

    name: Name = ""
    """The file's name without `.toml`; may be left out."""
    title: str = Field(default="", examples=["Nordic nRF52840-DK (PCA10056)"])
    """For people: maker, kit and revision."""
    target: str = Field(min_length=1, examples=["nrf52840"])
    """pyOCD's target type: `pyocd list --targets`."""
    virtual: Name | None = Field(default=None, examples=["nrf52840"])
    """The emulated silicon that a virtual bench runs this board's firmware on, if there is one."""
    supply_v: float = Field(gt=0, le=60, examples=["3.0"])
    """Supply rail at the power analyzer, volts."""
    baudrate: int = Field(default=115200, gt=0, examples=[115200])
    """Of the console; 8 data bits, no parity, 1 stop bit."""
    default_image: str = Field(default="", examples=["lan"])
    """The image that is flashed unless a test asks for another; needed when there are several."""
    images: Mapping[Name, ImagePath] = Field(default_factory=dict, examples=[{"lan": "../build/lan.elf"}])
    """Firmware images (ELF or Intel HEX) by name; paths are relative to this file."""
    marker_pins: Mapping[MarkerName, Pin] = Field(default_factory=dict, examples=[{"inference": "P0.13"}])
    """Marker line to the pin that the firmware raises."""
    target_table: Targets = Field(default_factory=_no_targets, alias="targets")  # type: ignore[valid-type]
    """Budgets that hold for every test on this board."""
    flash: MemoryRange | None = None
    """Flash, as the data sheet's memory map has it."""
    ram: MemoryRange | None = None
    """RAM, as the data sheet's memory map has it."""

    @property
    def targets(self) -> dict[str, float]:
        """Quantity to limit, in the quantity's display unit."""
        limits = {row.name: getattr(self.target_table, row.target_key) for row in QUANTITIES.values()}
        return {name: limit for name, limit in limits.items() if limit is not None}

    def image(self, name_or_file: str | Path | None = None) -> Path:
        """The path of an image.

        Args:
            name_or_file: A key of `images`, or a file (`.elf`, `.hex`, or with a path separator); None for
                the default image.

        Raises:
            ImageError: the board has no such image, or the file is not there.
        """
        wanted = str(name_or_file) if name_or_file is not None else self.default_image
        if wanted in self.images:
            path = Path(self.images[wanted])
        elif not wanted:
            raise ImageError(
                f"board {self.name} names no firmware image",
                fix=f'add to {self.path}:  [images]  lan = "../build/lan.elf"   (or --image FILE)',
            )
        elif "/" in wanted or "\\" in wanted or Path(wanted).suffix.lower() in {".elf", ".hex"}:
            path = Path(wanted)
        else:
            near = nearest(wanted, list(self.images))
            hint = f"did you mean {near}? " if near else ""
            raise ImageError(
                f'board {self.name} has no image "{wanted}"',
                fix=f"{hint}it has: {', '.join(self.images) or 'none'} ({self.path})",
            )
        if not path.is_file():
            raise ImageError(
                f"image {path} of board {self.name} is not there",
                fix="build it, or correct the path in the board file",
            )
        return path

    @model_validator(mode="before")
    @classmethod
    def _single_image_is_default(cls, data: Any) -> Any:
        if isinstance(data, dict) and "default_image" not in data:
            images = data.get("images")
            if isinstance(images, dict) and len(images) == 1:
                return {**data, "default_image": next(iter(images))}
        return data

    @field_validator("marker_pins")
    @classmethod
    def _one_marker_per_pin(cls, pins: Mapping[str, str]) -> Mapping[str, str]:
        refuse_double(pins, "pin")
        return pins

    @field_validator("flash", "ram")
    @classmethod
    def _inside_address_space(cls, memory: MemoryRange | None) -> MemoryRange | None:
        if memory is not None and memory.end > ADDRESS_SPACE:
            raise wrong(
                f"ends at {memory.end:#x}, beyond the 32-bit address space", "check start and size_kib"
            )
        return memory

    @model_validator(mode="after")
    def _default_image_exists(self) -> Board:
        if self.images and self.default_image not in self.images:
            names = ", ".join(self.images)
            problem = (
                f'"{self.default_image}" is not one of the images' if self.default_image else "is missing"
            )
            near = nearest(self.default_image, list(self.images)) or next(iter(self.images))
            raise wrong(
                f"{problem} ({names})",
                f'write default_image = "{near}"',
                key="default_image",
            )
        return self


class Bench(_Description):
    """One set-up: which probe, console and power analyzer are wired to the board.

    The three URIs may hold placeholders that the board fills: see `wiring.PLACEHOLDERS`.
    """

    name: Name = ""
    """The file's name without `.toml`; may be left out."""
    title: str = Field(default="", examples=["Power desk, left"])
    """For people."""
    boards: Names = Field(default=(), examples=[["nrf52840"]], json_schema_extra={"uniqueItems": True})
    """Boards that this bench serves; left out: every board that has what its placeholders need."""
    probe: str | None = Field(default=None, examples=["jlink:000683456789"])
    """Debug probe: `kind:uid`, or `auto` when exactly one is attached."""
    console: str | None = Field(
        default=None, examples=["/dev/serial/by-id/usb-SEGGER_J-Link_000683456789-if00"]
    )
    """Serial port of the board's console: a device, or a pyserial URL."""
    analyzer: str | None = Field(default=None, examples=["joulescope:002557"])
    """Power analyzer: `kind:serial`."""
    markers: Mapping[MarkerName, InstrumentInput] = Field(
        default_factory=dict, examples=[{"inference": "gpi0"}]
    )
    """Marker line to the analyzer's input that it is wired to."""
    settle_s: float = Field(default=0.2, ge=0, le=3600, examples=["0.2"])
    """How long the board rests between closing the debug session and a power window, seconds."""

    @field_validator("probe", "console", "analyzer")
    @classmethod
    def _well_formed(cls, uri: str | None, info: ValidationInfo) -> str | None:
        if uri is not None:
            found = uris.check(str(info.field_name), uri)
            if found is not None:
                raise wrong(*found)
        return uri

    @field_validator("markers")
    @classmethod
    def _one_marker_per_input(cls, inputs: Mapping[str, str]) -> Mapping[str, str]:
        refuse_double(inputs, "input")
        return inputs

    @model_validator(mode="after")
    def _devices_apart(self) -> Bench:
        devices = {role: getattr(self, role) for role in ("probe", "console", "analyzer")}
        named = {role: uri for role, uri in devices.items() if uri is not None}
        if not named:
            raise wrong("names no device", 'add at least one, as in  probe = "auto"')
        twins = uris.collision(named)
        if twins is not None:
            first, second = twins
            raise wrong(
                f"{first} and {second} name the same device, {named[second]}",
                f"give {second} the device that is wired to it; see `lan-hil doctor`",
                key=second,
            )
        if self.markers and self.analyzer is None:
            raise wrong(
                "wires marker lines, but the bench has no analyzer",
                'add  analyzer = "joulescope:002557"  or remove the table',
                key="markers",
            )
        return self
