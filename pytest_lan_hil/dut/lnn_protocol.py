"""What the DUT says about its labels, what it heard, and its metrics: half of the `lnn ...` grammar. Pure.

The lines stand in docs/reference/dut-console.md. `protocol` reads and writes them along with all the others;
sending the audio is left to `hearing`, the meaning of a metrics frame to `metrics_frame`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Labels:
    """`m-lnn-labels-[<label>,<label>,...]`: the classes of the network, in the order of its answers."""

    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HearStart:
    """`m-lnn-hear-start-[max=<bytes>]`: all that was heard is forgotten; largest size of a piece."""

    max_bytes: int


@dataclass(frozen=True, slots=True)
class HearReady:
    """`m-lnn-hear-ready-[<bytes>]`: the receiver waits for this many raw bytes."""

    count: int


@dataclass(frozen=True, slots=True)
class HearTaken:
    """`m-lnn-hear-taken-[frames=<n>,ran=<n>]`: a piece has arrived, its checksum was right, and was heard.

    Attributes:
        frames: Whole frames in this piece, with what was left of the piece before.
        ran: Those in which the network ran; in the others the gate kept it shut.
    """

    frames: int
    ran: int


@dataclass(frozen=True, slots=True)
class Heard:
    """`m-lnn-heard-[class=..,label=..,confidence=<thousandths>,frames=..,ran=..,dropped=..]`.

    Attributes:
        index: Which of the labels it was, from 0.
        label: What the DUT calls it.
        confidence_permille: Probability that the network gives its answer, thousandths.
        frames, ran: Since `lnn hear start`, see `HearTaken`.
        dropped: Frames lost since then: what was heard is not what was sent unless this is 0.
    """

    index: int
    label: str
    confidence_permille: int
    frames: int
    ran: int
    dropped: int

    @property
    def confidence_percent(self) -> float:
        """The confidence in percent."""
        return self.confidence_permille / 10


@dataclass(frozen=True, slots=True)
class MetricsFrame:
    """`m-lnn-metrics-[<hex>]`: the metrics as the firmware keeps them, see `metrics_frame`."""

    payload: bytes


LnnMessage = Labels | HearStart | HearReady | HearTaken | Heard | MetricsFrame

_NUMBER = r"([0-9]{1,20})"
_LABEL = r"[^,\[\]]+"
_READERS: tuple[tuple[re.Pattern[str], Callable[..., LnnMessage]], ...] = (
    (re.compile(rf"m-lnn-labels-\[({_LABEL}(?:,{_LABEL})*)\]"), lambda text: Labels(tuple(text.split(",")))),
    (re.compile(rf"m-lnn-hear-start-\[max={_NUMBER}\]"), lambda size: HearStart(int(size))),
    (re.compile(rf"m-lnn-hear-ready-\[{_NUMBER}\]"), lambda count: HearReady(int(count))),
    (
        re.compile(rf"m-lnn-hear-taken-\[frames={_NUMBER},ran={_NUMBER}\]"),
        lambda frames, ran: HearTaken(int(frames), int(ran)),
    ),
    (
        re.compile(
            rf"m-lnn-heard-\[class={_NUMBER},label=({_LABEL}),confidence={_NUMBER}"
            rf",frames={_NUMBER},ran={_NUMBER},dropped={_NUMBER}\]"
        ),
        lambda index, label, *counts: Heard(int(index), label, *map(int, counts)),
    ),
    (
        re.compile(r"m-lnn-metrics-\[((?:[0-9A-Fa-f]{2})*)\]"),
        lambda digits: MetricsFrame(bytes.fromhex(digits)),
    ),
)


def read(line: str) -> LnnMessage | None:
    """What a console line (without its line end) says; None if it is none of these messages."""
    for pattern, build in _READERS:
        match = pattern.fullmatch(line)
        if match is not None:
            return build(*match.groups())
    return None


def write(message: LnnMessage) -> str:
    """The line (without line end) that `read` reads as `message`; what a DUT prints."""
    match message:
        case Labels(labels):
            return f"m-lnn-labels-[{','.join(labels)}]"
        case HearStart(max_bytes):
            return f"m-lnn-hear-start-[max={max_bytes}]"
        case HearReady(count):
            return f"m-lnn-hear-ready-[{count}]"
        case HearTaken(frames, ran):
            return f"m-lnn-hear-taken-[frames={frames},ran={ran}]"
        case Heard():
            return (
                f"m-lnn-heard-[class={message.index},label={message.label}"
                f",confidence={message.confidence_permille},frames={message.frames},ran={message.ran}"
                f",dropped={message.dropped}]"
            )
        case MetricsFrame(payload):
            return f"m-lnn-metrics-[{payload.hex()}]"
