"""Opening a JLS file: what is in it, who recorded it, and whether all of it is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pytest_lan_hil.instruments.jls_format import OUR_CHUNK, Header, check_file, foreign_header, header_of
from pytest_lan_hil.instruments.jls_samples import Signal
from pytest_lan_hil.instruments.jls_write import load_pyjls
from pytest_lan_hil.model.errors import InputError


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that is open.

    Attributes:
        path, reader: The file.
        header: What is known beside its samples.
        ours: Whether this package wrote it, and so every loss is noted.
        lost: Signal, first sample id and end of what is noted as lost.
        signals: By name.
        complete, problem: How the recording ended.
    """

    path: Path
    reader: Any
    header: Header
    ours: bool
    lost: Sequence[tuple[str, int, int]]
    signals: Mapping[str, Signal]
    complete: bool
    problem: str


@contextmanager
def open_jls(path: Path) -> Iterator[Opened]:
    """Open a file.

    Raises:
        InputError: It is damaged, truncated or foreign; also for damage that is met while it is open.
    """
    check_file(path)
    pyjls = load_pyjls(f"reading {path}")
    try:
        with pyjls.Reader(str(path)) as reader:
            yield _described(path, reader, pyjls)
    except RuntimeError as error:
        raise InputError(
            f"reading {path}: the file is damaged: {error}",
            fix="copy it from its source again, or record again",
        ) from error


def _described(path: Path, reader: Any, pyjls: Any) -> Opened:
    ours: list[dict[str, Any]] = []

    def keep(chunk: int, data: Any) -> bool:
        if chunk == OUR_CHUNK and isinstance(data, dict):
            ours.append(data)
        return False

    definitions = {
        number: definition
        for number, definition in reader.signals.items()
        if number and definition.signal_type == pyjls.SignalType.FSR and definition.length
    }
    sources = {definition.source_id for definition in definitions.values()}
    if len(sources) > 1:
        names = ", ".join(str(reader.sources[source].name) for source in sorted(sources))
        raise InputError(
            f"{path} holds the records of several instruments: {names}",
            fix="export the signals of one of them from the Joulescope UI",
        )
    try:
        reader.user_data(keep)
        header = header_of(ours[0]) if ours else None
        lost = [(str(name), int(a), int(b)) for name, a, b in (x["lost"] for x in ours if "lost" in x)]
        end = next((entry["end"] for entry in ours if "end" in entry), None)
        outcome = bool(end["complete"]) if end else False, str(end["problem"]) if end else ""
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"reading {path}: what this package wrote beside the samples is damaged ({error!r})",
            fix="read it with the version of pytest-lan-hil that recorded it, or record again",
        ) from error
    if header is None:
        header = foreign_header(reader.sources[min(sources)]) if sources else None
        outcome = True, ""
    elif end is None:
        outcome = False, "the recorder was killed before it closed this file"
    if header is None:
        raise InputError(f"{path} holds no samples", fix="record again")
    signals = {}
    for number, definition in definitions.items():
        exact = header.rates_hz.get(definition.name, definition.sample_rate)
        if not exact > 0:
            raise InputError(f"{path}: signal {definition.name!r} has a sample rate of {exact}")
        signals[definition.name] = Signal(
            number,
            definition.name,
            definition.sample_id_offset,
            definition.length,
            Fraction(exact),
            pyjls.data_type_as_str(definition.data_type & 0xFFFF),
        )
    return Opened(path, reader, header, bool(ours), lost, signals, *outcome)
