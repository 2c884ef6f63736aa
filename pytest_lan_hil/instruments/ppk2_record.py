"""From the bytes that a PPK2 sent during a capture to the capture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments.assembly import gaps_of
from pytest_lan_hil.instruments.ppk2_decode import TOP_RANGE, Decoder, counters_of, lines_of
from pytest_lan_hil.instruments.ppk2_models import SAMPLE_RATE_HZ
from pytest_lan_hil.instruments.ppk2_placement import Arrivals, Placement, place
from pytest_lan_hil.model.capture import Accuracy, Capture, InstrumentIdentity, MarkerLine, RangeRuns

WORD_BYTES = 4
# Words converted at once: their temporaries stay below 20 MB however long the capture is.
_AT_ONCE = 1 << 18
# Arrivals of the first second tell when the record began; later ones also tell how the clocks drift apart.
_EARLY_S = 1.0
# The first sample is stamped when its USB packet arrives: 2.3 ms off on one device (ppk2lab,
# protocol-spec.md). Unconfirmed.
_START_ERROR_S = 3e-3


@dataclass(frozen=True, slots=True)
class Setup:
    """What does not change from capture to capture.

    Attributes:
        instrument: Who measures.
        accuracy: Its error limits in its mode.
        supply_v: Set or assumed voltage.
        supply_note: Which of both, as a sentence.
        markers: Marker line to the bit of the logic byte.
    """

    instrument: InstrumentIdentity
    accuracy: Accuracy
    supply_v: float
    supply_note: str
    markers: Mapping[str, int]


def assemble(
    data: bytes | bytearray, arrivals: Arrivals, decoder: Decoder, setup: Setup, *, limit_s: float, ended: str
) -> Capture:
    """The capture that the bytes hold.

    Args:
        data: Everything that was received, from a whole word on.
        arrivals: When its words came.
        decoder: A fresh one.
        setup: See `Setup`.
        limit_s: What is longer than this came after the end of the capture and is left out.
        ended: Why the capture ended early, as a sentence; "" if it did not.
    """
    words = np.frombuffer(data, "<u4", len(data) // WORD_BYTES)
    placement = place(counters_of(words), arrivals)
    out_of_step = len(words) - placement.words
    length = min(placement.samples, int(limit_s * SAMPLE_RATE_HZ + 1e-6))
    record = _Record(length)
    for at in range(0, placement.words, _AT_ONCE):
        record.add(words[at : min(at + _AT_ONCE, placement.words)], at, decoder, placement)
    for start, stop in placement.damaged:
        first, last = placement.sample_of(np.array([start, stop]))
        record.lose(int(first), int(last))
    notes = [setup.supply_note, *record.notes()]
    if out_of_step:
        notes.append(
            f"bytes were lost {placement.samples / SAMPLE_RATE_HZ:.3f} s into the capture, after which the"
            " PPK2's samples could not be told apart; the record ends there"
        )
    if ended:
        notes.append(ended)
    lost = [(start, stop) for start, stop in record.lost if start < length]
    return Capture(
        sample_rate_hz=float(SAMPLE_RATE_HZ),
        current_a=record.current_a,
        voltage_v=np.broadcast_to(np.float32(setup.supply_v), length),
        instrument=setup.instrument,
        accuracy=replace(setup.accuracy, current_offset_a=record.switch_error_a()),
        markers=record.lines(setup.markers),
        gaps=gaps_of(lost, 0, 1, length),
        supply="assumed",
        complete=not ended and not out_of_step,
        ranges=record.runs(len(setup.accuracy.current_ranges)),
        start_s=_start(placement, arrivals),
        start_error_s=_START_ERROR_S,
        notes=tuple(notes),
    )


class _Record:
    """The record's arrays while they are filled."""

    def __init__(self, length: int) -> None:
        self.current_a = np.full(length, np.nan, np.float32)
        self.lost: list[tuple[int, int]] = []
        self._logic = np.zeros(length, np.uint8)
        self._range = np.zeros(length, np.uint8)
        self._unsure = np.zeros(length, np.bool_)
        self._cut_off = 0
        self._filled = 0

    def add(self, words: NDArray[np.uint32], at: int, decoder: Decoder, placement: Placement) -> None:
        """Convert the words from word `at` on and put them into their places."""
        decoded = decoder.decode(words)
        logic = lines_of(words)
        index = placement.sample_of(np.arange(at, at + len(words)))
        inner = np.flatnonzero((placement.first_word > at) & (placement.first_word < at + len(words)))
        bounds = [0, *(int(placement.first_word[run]) - at for run in inner), len(words)]
        for start, stop in pairwise(bounds):
            first = int(index[start])
            self._bridge(first)
            here = slice(first, min(first + stop - start, len(self.current_a)))
            part = slice(start, start + max(here.stop - here.start, 0))
            if part.stop > part.start:
                self.current_a[here] = decoded.current_a[part]
                self._logic[here] = logic[part]
                self._range[here] = decoded.ranges[part]
                self._filled = here.stop
        top = decoded.ranges[decoded.clipped] == TOP_RANGE
        self._mark(index[decoded.switching])
        # In a lower range the converter is at its limit for as long as switching up takes.
        self._mark(index[decoded.clipped[~top]])
        cut_off = index[decoded.clipped[top]]
        self._cut_off += len(cut_off)
        breaks = np.flatnonzero(np.diff(cut_off, prepend=-2) != 1)
        for run in np.split(cut_off, breaks[1:]) if len(cut_off) else ():
            self.lose(int(run[0]), int(run[-1]) + 1)

    def lose(self, start: int, stop: int) -> None:
        """Samples start to stop are not known."""
        self.current_a[start:stop] = np.nan
        self.lost.append((start, stop))

    def _bridge(self, until: int) -> None:
        """What is missing keeps the level and the range that were there before."""
        if until > self._filled:
            gap = slice(self._filled, until)
            self.lost.append((gap.start, gap.stop))
            if gap.start > 0:
                self._logic[gap] = self._logic[gap.start - 1]
                self._range[gap] = self._range[gap.start - 1]

    def _mark(self, samples: NDArray[np.int64]) -> None:
        self._unsure[samples[samples < len(self._unsure)]] = True

    def lines(self, markers: Mapping[str, int]) -> dict[str, MarkerLine]:
        """The marker lines, packed."""
        count = len(self._logic)
        return {
            marker: MarkerLine(
                np.packbits(self._logic & np.uint8(1 << bit), bitorder="little"), count, float(SAMPLE_RATE_HZ)
            )
            for marker, bit in markers.items()
        }

    def runs(self, switching: int) -> RangeRuns:
        """The ranges; samples within a switch have the index `switching`."""
        codes = np.where(self._unsure, np.uint8(switching), self._range)
        starts = np.flatnonzero(np.diff(codes, prepend=np.uint8(255))).astype(np.int64)
        return RangeRuns(starts, codes[starts].astype(np.int64))

    def switch_error_a(self) -> float:
        """How far a sample within a range switch may be off, as a mean over all of them.

        The true current is taken to lie between the last sample before the switch and the first after it; a
        sample is off by no more than its distance to the farther of both.
        """
        edges = np.flatnonzero(np.diff(self._unsure, prepend=False, append=False))
        starts, stops = edges[0::2], edges[1::2]
        if not len(starts):
            return 0.0
        last = len(self.current_a) - 1
        before = self.current_a[np.maximum(starts - 1, 0)].astype(np.float64)
        after = self.current_a[np.minimum(stops, last)].astype(np.float64)
        lengths = stops - starts
        samples = self.current_a[self._unsure]
        off = np.maximum(
            np.abs(samples - np.repeat(before, lengths)), np.abs(samples - np.repeat(after, lengths))
        )
        return float(np.nanmean(off)) if np.isfinite(off).any() else 0.0

    def notes(self) -> list[str]:
        """What a reader must know of the samples."""
        notes = []
        unsure = int(np.count_nonzero(self._unsure))
        if unsure:
            notes.append(
                f"{unsure} of {len(self.current_a)} samples lie within a range switch of the PPK2 and are"
                " filtered as Nordic's software does;"
                f" each may be off by {self.switch_error_a() * 1e6:.3g} uA"
            )
        if self._cut_off:
            notes.append(
                f"{self._cut_off} samples were at the limit of the PPK2's highest range and are left out"
            )
        return notes


def _start(placement: Placement, arrivals: Arrivals) -> float | None:
    """When sample 0 was taken, on the clock of the arrivals."""
    if not len(arrivals.words):
        return None
    early = (arrivals.times_s <= arrivals.times_s[0] + _EARLY_S) & (arrivals.words <= placement.words)
    if not early.any():
        return None
    return float((arrivals.times_s[early] - placement.received(arrivals.words[early]) / SAMPLE_RATE_HZ).min())
