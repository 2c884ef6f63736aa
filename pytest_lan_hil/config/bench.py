"""What a bench file may say."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pytest_lan_hil.config import uris
from pytest_lan_hil.config.description import Description
from pytest_lan_hil.config.fields import (
    EdgeLineName,
    InstrumentInput,
    MarkerName,
    Names,
    refuse_double,
    wrong,
)


class Bench(Description):
    """One set-up: which probe, console, power analyzer and edge source are wired to the board.

    The URIs may hold placeholders that the board fills: see `uris.PLACEHOLDERS`.
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
    edges: str | None = Field(default=None, examples=["gpiod:/dev/gpiochip0"])
    """Edge source, for marker lines that the analyzer has no input for: `kind:device`."""
    edge_lines: Mapping[MarkerName, EdgeLineName] = Field(
        default_factory=dict, examples=[{"inference": "17"}]
    )
    """Marker line to the edge source's line that it is wired to."""
    sync: MarkerName | None = Field(default=None, examples=["phase"])
    """The marker line that is wired to analyzer and edge source both, and so ties their clocks together."""
    settle_s: float = Field(default=0.2, ge=0, le=3600, examples=["0.2"])
    """How long the board rests between closing the debug session and a power window, seconds."""

    @field_validator("probe", "console", "analyzer", "edges")
    @classmethod
    def _well_formed(cls, uri: str | None, info: ValidationInfo) -> str | None:
        if uri is not None:
            found = uris.check(str(info.field_name), uri)
            if found is not None:
                raise wrong(*found)
        return uri

    @field_validator("console", "analyzer", "edges")
    @classmethod
    def _its_own_device(cls, uri: str | None, info: ValidationInfo) -> str | None:
        # `info.data` holds the fields that stand before this one.
        twin = uris.same_device(uri, {role: info.data.get(role) for role in ("probe", "console", "analyzer")})
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

    @field_validator("edge_lines")
    @classmethod
    def _lines_apart(cls, lines: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        refuse_double(lines, "line")
        if lines and info.data.get("edges", "") is None:
            raise wrong(
                "wires marker lines, but the bench has no edge source",
                'add  edges = "gpiod:/dev/gpiochip0"  or remove the table',
            )
        return lines

    @model_validator(mode="after")
    def _has_a_device(self) -> Bench:
        if not any((self.probe, self.console, self.analyzer, self.edges)):
            raise wrong("names no device", 'add at least one, as in  probe = "auto"')
        return self

    @model_validator(mode="after")
    def _one_source_each(self) -> Bench:
        both = sorted(set(self.markers) & set(self.edge_lines))
        for marker in both:
            if marker != self.sync:
                raise wrong(
                    f"{marker} is wired to the analyzer ({self.markers[marker]}) and to the edge source"
                    f" ({self.edge_lines[marker]}): two instruments claim the same line",
                    f'take it out of one, or add  sync = "{marker}"  if it is wired to both on purpose',
                    key=f"edge_lines.{marker}",
                )
        if self.sync is not None and self.sync not in both:
            raise wrong(
                f'is "{self.sync}", which is not wired to both analyzer and edge source',
                f"wire it to both, and add it to [markers] and to [edge_lines]: {self.sync} = ...",
                key="sync",
            )
        return self
