"""What a board file may say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from pytest_lan_hil.config.description import Description
from pytest_lan_hil.config.fields import (
    ImagePath,
    MarkerName,
    Name,
    Pin,
    Words,
    nearest,
    refuse_double,
    wrong,
)
from pytest_lan_hil.model.errors import ImageError
from pytest_lan_hil.model.quantities import QUANTITIES, Margin, Quantity

ADDRESS_SPACE = 1 << 32
#: The `target` of a board whose firmware is a program of the host, started instead of flashed.
NATIVE = "native"


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


_POSITIVE = Field(gt=0)
_PERCENT = Field(ge=0, le=100)
Targets = create_model(
    "Targets",
    __base__=_TargetTable,
    **cast(
        "dict[str, Any]",
        {
            row.target_key: (
                Annotated[float, _PERCENT if row.unit == "%" else _POSITIVE] | None,
                Field(default=None, description=f"{row.help}, {row.unit}.", examples=[1.2]),
            )
            for row in QUANTITIES.values()
        },
    ),
)


class _MarginTable(BaseModel):
    """How much worse than its baseline a quantity may be on this board; what is left out is as in the table
    of quantities.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _relative_key(row: Quantity) -> str:
    return f"{row.name}_relative"


def _absolute_key(row: Quantity) -> str:
    return f"{row.name}_absolute" if row.unit == "1" else f"{row.name}_absolute_{row.unit_key}"


def _margin_fields(row: Quantity) -> dict[str, Any]:
    share = Field(
        default=None,
        description=f"Share of the baseline that {row.name} may be worse, 0 to 1.",
        examples=[0.05],
        ge=0,
        le=1,
    )
    amount = Field(
        default=None,
        description=f"By how much {row.name} may be worse however small the baseline, {row.unit}.",
        examples=[0.1],
        ge=0,
    )
    return {_relative_key(row): (float | None, share), _absolute_key(row): (float | None, amount)}


Margins = create_model(
    "Margins",
    __base__=_MarginTable,
    **{key: field for row in QUANTITIES.values() for key, field in _margin_fields(row).items()},
)


class Battery(BaseModel):
    """The battery that the product runs from: `battery` hours are derived from it and the mean power."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    capacity_mah: float = Field(gt=0, examples=["220"])
    """Rated capacity, mAh."""
    voltage_v: float = Field(gt=0, examples=["3.0"])
    """Mean voltage while it discharges, volts."""
    usable: float = Field(default=1.0, gt=0, le=1, examples=["0.8"])
    """Share of the capacity that can be used at this load and temperature, 0 to 1."""
    converter_efficiency: float = Field(default=1.0, gt=0, le=1, examples=["0.85"])
    """Share of the battery's energy that reaches the supply rail, 0 to 1."""

    @property
    def usable_wh(self) -> float:
        """Energy that reaches the board, watt hours."""
        return self.capacity_mah / 1e3 * self.voltage_v * self.usable * self.converter_efficiency


def _no_targets() -> BaseModel:
    return Targets()


def _no_margins() -> BaseModel:
    return Margins()


class Board(Description):
    """A kind of device under test: silicon, images, supply, marker lines, targets."""

    title: str = Field(default="", examples=["Nordic nRF52840-DK (PCA10056)"])
    """For people: maker, kit and revision."""
    target: str = Field(min_length=1, examples=["nrf52840"])
    """pyOCD's target type: `pyocd list --targets`; `native` for a program of the testing host."""
    pack: str = Field(default="", examples=["stm32f411re"])
    """What `pyocd pack install` finds the chip's CMSIS pack by; for a `target` that pyOCD does not have."""
    virtual: Name | None = Field(default=None, examples=["nrf52840"])
    """The emulated silicon that a virtual bench runs this board's firmware on, if there is one."""
    supply_v: float | None = Field(default=None, gt=0, le=60, examples=["3.0"])
    """Supply rail at the power analyzer, volts; left out where there is no rail to measure (a desktop)."""
    build: Words = Field(default=(), examples=[["make", "-C", "../firmware"]])
    """Command that makes the images; run from this file's folder, once per session before the first flash."""
    baudrate: int = Field(default=115200, gt=0, examples=[115200])
    """Of the console; 8 data bits, no parity, 1 stop bit."""
    images: Mapping[Name, ImagePath] = Field(default_factory=dict, examples=[{"lan": "../build/lan.elf"}])
    """Firmware images (ELF or Intel HEX) by name; paths are relative to this file."""
    default_image: str = Field(default="", validate_default=True, examples=["lan"])
    """The image that is flashed unless a test asks for another; needed when there are several."""
    marker_pins: Mapping[MarkerName, Pin] = Field(default_factory=dict, examples=[{"inference": "P0.13"}])
    """Marker line to the pin that the firmware raises."""
    target_table: Targets = Field(default_factory=_no_targets, alias="targets")  # type: ignore[valid-type]
    """Limits that a budget marker without one of its own takes on this board."""
    margin_table: Margins = Field(default_factory=_no_margins, alias="margins")  # type: ignore[valid-type]
    """How much worse than its baseline a quantity may be on this board."""
    battery: Battery | None = None
    """The battery that the product runs from."""
    temperature_error_k: float | None = Field(default=None, gt=0, examples=["5.0"])
    """Error of the chip's own temperature sensor, 95 % half-width in kelvin, from its data sheet."""
    flash: MemoryRange | None = None
    """Flash, as the data sheet's memory map has it."""
    ram: MemoryRange | None = None
    """RAM, as the data sheet's memory map has it."""

    @property
    def targets(self) -> dict[str, float]:
        """Quantity to limit, in the quantity's display unit."""
        limits = {row.name: getattr(self.target_table, row.target_key) for row in QUANTITIES.values()}
        return {name: limit for name, limit in limits.items() if limit is not None}

    @property
    def margins(self) -> dict[str, Margin]:
        """Every quantity of the table to its margin on this board."""
        return {row.name: self._margin(row) for row in QUANTITIES.values()}

    def _margin(self, row: Quantity) -> Margin:
        relative = getattr(self.margin_table, _relative_key(row))
        absolute = getattr(self.margin_table, _absolute_key(row))
        return Margin(
            row.margin.relative if relative is None else relative,
            row.margin.absolute if absolute is None else absolute,
        )

    @property
    def is_native(self) -> bool:
        """True if its firmware is a program of the host."""
        return self.target == NATIVE

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
            path = self.images[wanted]
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

    @field_validator("default_image")
    @classmethod
    def _default_image_exists(cls, default: str, info: ValidationInfo) -> str:
        images = info.data.get("images", {})
        if images and default not in images:
            problem = f'"{default}" is not one of the images' if default else "is missing"
            near = nearest(default, list(images)) or next(iter(images))
            raise wrong(f"{problem} ({', '.join(images)})", f'write  default_image = "{near}"')
        return default

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
