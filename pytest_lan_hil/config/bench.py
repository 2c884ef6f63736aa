"""What a bench file may say."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pytest_lan_hil.config import uris
from pytest_lan_hil.config.description import Description
from pytest_lan_hil.config.fields import InstrumentInput, MarkerName, Names, refuse_double, wrong


class Bench(Description):
    """One set-up: which probe, console and power analyzer are wired to the board.

    The three URIs may hold placeholders that the board fills: see `uris.PLACEHOLDERS`.
    """

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

    @field_validator("console", "analyzer")
    @classmethod
    def _its_own_device(cls, uri: str | None, info: ValidationInfo) -> str | None:
        twin = uris.same_device(uri, {role: info.data.get(role) for role in ("probe", "console")})
        if twin is not None:
            raise wrong(
                f"{twin} and {info.field_name} name the same device, {uri}",
                f"give {info.field_name} the device that is wired to it; see `lan-hil doctor`",
            )
        return uri

    @field_validator("markers")
    @classmethod
    def _wired_apart(cls, inputs: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        refuse_double(inputs, "input")
        if inputs and info.data.get("analyzer", "") is None:
            raise wrong(
                "wires marker lines, but the bench has no analyzer",
                'add  analyzer = "joulescope:002557"  or remove the table',
            )
        return inputs

    @model_validator(mode="after")
    def _has_a_device(self) -> Bench:
        if self.probe is None and self.console is None and self.analyzer is None:
            raise wrong("names no device", 'add at least one, as in  probe = "auto"')
        return self
