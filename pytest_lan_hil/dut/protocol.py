"""The grammar of the DUT console: the MLPerf Tiny DUT API and this project's `lnn ...` commands. Pure.

Wording follows the MLPerf Tiny reference (mlcommons/tiny, benchmark/api/internally_implemented.h and .cpp: a
command buffer of 80 characters, terminator '%', messages "m-...", errors "e-[...]", every answer closed by
"m-ready") and docs/reference/dut-console.md for `lnn`, whose lines about hearing and metrics are left to
`lnn_protocol`. Waiting, time limits and bytes on the wire are left to `console` and `dut`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_lan_hil.dut import lnn_protocol
from pytest_lan_hil.model.errors import InputError

TERMINATOR = "%"
COMMAND_SIZE = 80
"""Characters that the reference's command buffer holds, terminator not counted (EE_CMD_SIZE)."""

LOAD_CHUNK_BYTES = (COMMAND_SIZE - len("db ")) // 2
"""Bytes that fit into one `db` command, two hex digits each."""


@dataclass(frozen=True, slots=True)
class Ready:
    """`m-ready`: the DUT waits for the next command."""


@dataclass(frozen=True, slots=True)
class InitDone:
    """`m-init-done`: printed once after reset."""


@dataclass(frozen=True, slots=True)
class Name:
    """`m-name-<device>-[<vendor>]`."""

    device: str
    vendor: str


@dataclass(frozen=True, slots=True)
class ProfileText:
    """`m-profile-[<text>]`."""

    text: str


@dataclass(frozen=True, slots=True)
class Model:
    """`m-model-[<text>]`."""

    text: str


@dataclass(frozen=True, slots=True)
class Lap:
    """`m-lap-us-<n>`: the DUT's own time stamp in microseconds."""

    microseconds: int


@dataclass(frozen=True, slots=True)
class Expecting:
    """`m-[Expecting <n> bytes]`: the answer to `db load <n>`."""

    count: int


@dataclass(frozen=True, slots=True)
class LoadDone:
    """`m-load-done`: the announced number of bytes has arrived."""


@dataclass(frozen=True, slots=True)
class WarmupStart:
    """`m-warmup-start-<n>`."""

    count: int


@dataclass(frozen=True, slots=True)
class WarmupDone:
    """`m-warmup-done`."""


@dataclass(frozen=True, slots=True)
class InferStart:
    """`m-infer-start-<n>`."""

    count: int


@dataclass(frozen=True, slots=True)
class InferDone:
    """`m-infer-done`."""


@dataclass(frozen=True, slots=True)
class Results:
    """`m-results-[<v>,<v>,...]`."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """`m-lnn-id-[git=<hex>,image=<hex>,version=<text>]`."""

    git: str
    image: str
    version: str


@dataclass(frozen=True, slots=True)
class ListenStart:
    """`m-lnn-listen-start`."""


@dataclass(frozen=True, slots=True)
class ListenDone:
    """`m-lnn-listen-done-[frames=<n>]`."""

    frames: int


@dataclass(frozen=True, slots=True)
class Pace:
    """`m-lnn-pace-[<ms>]`: time between the starts of two inferences."""

    milliseconds: int


@dataclass(frozen=True, slots=True)
class Stack:
    """`m-lnn-stack-[used=<bytes>,size=<bytes>]`."""

    used: int
    size: int


@dataclass(frozen=True, slots=True)
class Status:
    """`m-lnn-status-[<key>=<value>,...]`, in the order in which they were printed."""

    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DeviceError:
    """`e-[<text>]`: the DUT refuses or failed."""

    text: str

    @property
    def unknown_command(self) -> bool:
        """True if the DUT does not know the command at all."""
        return self.text.lower().startswith("unknown command")


@dataclass(frozen=True, slots=True)
class Text:
    """Any other line: help text, log output, garbage."""

    text: str


Message = (
    Ready | InitDone | Name | ProfileText | Model | Lap | Expecting | LoadDone | WarmupStart | WarmupDone
    | InferStart | InferDone | Results | Identity | ListenStart | ListenDone | Pace | Stack | Status
    | DeviceError | Text | lnn_protocol.LnnMessage
)  # fmt: skip

_FIXED: dict[str, Message] = {
    "m-ready": Ready(),
    "m-init-done": InitDone(),
    "m-load-done": LoadDone(),
    "m-warmup-done": WarmupDone(),
    "m-infer-done": InferDone(),
    "m-lnn-listen-start": ListenStart(),
}

_NUMBER = r"([0-9]{1,20})"
_PATTERNS: tuple[tuple[re.Pattern[str], type], ...] = (
    (re.compile(r"m-name-([^\[\]]*)-\[(.*)\]"), Name),
    (re.compile(r"m-profile-\[(.*)\]"), ProfileText),
    (re.compile(r"m-model-\[(.*)\]"), Model),
    (re.compile(rf"m-lap-us-{_NUMBER}"), Lap),
    (re.compile(rf"m-\[Expecting {_NUMBER} bytes\]"), Expecting),
    (re.compile(rf"m-warmup-start-{_NUMBER}"), WarmupStart),
    (re.compile(rf"m-infer-start-{_NUMBER}"), InferStart),
    (re.compile(r"m-lnn-id-\[git=([^,\]]*),image=([^,\]]*),version=([^\]]*)\]"), Identity),
    (re.compile(rf"m-lnn-listen-done-\[frames={_NUMBER}\]"), ListenDone),
    (re.compile(rf"m-lnn-pace-\[{_NUMBER}\]"), Pace),
    (re.compile(rf"m-lnn-stack-\[used={_NUMBER},size={_NUMBER}\]"), Stack),
    (re.compile(r"e-\[(.*)\]"), DeviceError),
)
_COUNTED = (Lap, Expecting, WarmupStart, InferStart, ListenDone, Pace, Stack)


def parse_line(line: str) -> Message:
    """What one console line (without its line end) says. Never raises: what is not understood is `Text`."""
    fixed = _FIXED.get(line)
    if fixed is not None:
        return fixed
    if line.startswith("m-results-["):
        return _parse_results(line)
    if line.startswith("m-lnn-status-["):
        return _parse_status(line)
    for pattern, kind in _PATTERNS:
        match = pattern.fullmatch(line)
        if match is not None:
            fields: Sequence[object] = match.groups()
            if kind in _COUNTED:
                fields = [int(field) for field in match.groups()]
            message: Message = kind(*fields)
            return message
    if line.startswith("Supplied buffer size"):
        # The reference forgets the "e-[...]" here; it is an error all the same.
        return DeviceError(line)
    return lnn_protocol.read(line) or Text(line)


def _parse_results(line: str) -> Message:
    body = line[len("m-results-[") : -1]
    if not line.endswith("]") or not body:
        return Text(line)
    try:
        values = tuple(float(part) for part in body.split(","))
    except ValueError:
        return Text(line)
    return Results(values)


def _parse_status(line: str) -> Message:
    body = line[len("m-lnn-status-[") : -1]
    if not line.endswith("]"):
        return Text(line)
    entries: list[tuple[str, str]] = []
    for part in body.split(",") if body else []:
        key, equals, value = part.partition("=")
        if not equals or not key:
            return Text(line)
        entries.append((key, value))
    return Status(tuple(entries))


def render(message: Message) -> str:
    """The console line (without line end) that `parse_line` reads as `message`; what a DUT prints.

    Floats in results are written with as many digits as they need to be read back equal.
    """
    for text, fixed in _FIXED.items():
        if message == fixed:
            return text
    if isinstance(message, lnn_protocol.LnnMessage):
        return lnn_protocol.write(message)
    templates: dict[type, str] = {
        Name: "m-name-{0.device}-[{0.vendor}]",
        ProfileText: "m-profile-[{0.text}]",
        Model: "m-model-[{0.text}]",
        Lap: "m-lap-us-{0.microseconds}",
        Expecting: "m-[Expecting {0.count} bytes]",
        WarmupStart: "m-warmup-start-{0.count}",
        InferStart: "m-infer-start-{0.count}",
        Identity: "m-lnn-id-[git={0.git},image={0.image},version={0.version}]",
        ListenDone: "m-lnn-listen-done-[frames={0.frames}]",
        Pace: "m-lnn-pace-[{0.milliseconds}]",
        Stack: "m-lnn-stack-[used={0.used},size={0.size}]",
        DeviceError: "e-[{0.text}]",
        Text: "{0.text}",
    }
    if isinstance(message, Results):
        return f"m-results-[{','.join(repr(value) for value in message.values)}]"
    if isinstance(message, Status):
        return f"m-lnn-status-[{','.join(f'{key}={value}' for key, value in message.entries)}]"
    return templates[type(message)].format(message)


def command(text: str) -> str:
    """The characters that make the DUT run `text`.

    Raises:
        InputError: It holds the terminator or other characters that the command parser can't take, is empty
            (the reference parser follows a null pointer on an empty command), or is longer than its buffer.
    """
    body = text[:-1] if text.endswith(TERMINATOR) else text
    if not body.strip():
        raise InputError("an empty command can't be sent to the DUT", fix='write a command such as "name"')
    if any(not " " <= char <= "~" or char == TERMINATOR for char in body):
        raise InputError(
            f"command {text!r} holds characters that the DUT's command parser can't take",
            fix=f"use printable ASCII without {TERMINATOR!r}, one command at a time",
        )
    if len(body) > COMMAND_SIZE:
        raise InputError(
            f"a command of {len(body)} characters does not fit the DUT's buffer of {COMMAND_SIZE}",
            fix="send data with Dut.load(), which cuts it into pieces",
        )
    return body + TERMINATOR


def infer_command(count: int, warmups: int) -> str:
    """`infer <count> <warmups>%`. Raises InputError unless count >= 1 and warmups >= 0."""
    if count < 1 or warmups < 0:
        raise InputError(
            f"infer(count={count}, warmups={warmups}) can't run", fix="use count >= 1 and warmups >= 0"
        )
    return command(f"infer {count} {warmups}")


def listen_command(seconds: float) -> str:
    """`lnn listen <ms>%`, rounded to whole milliseconds. Raises InputError unless that is at least one."""
    milliseconds = round(seconds * 1000) if math.isfinite(seconds) else 0
    if milliseconds < 1:
        raise InputError(f"the DUT can't listen for {seconds} s", fix="use a time of at least 0.001 s")
    return command(f"lnn listen {milliseconds}")


def load_commands(data: bytes) -> list[str]:
    """The commands that fill the DUT's input buffer: `db load <n>%`, then `db <hex>%` pieces.

    Raises InputError for empty data, which the DUT refuses.
    """
    if not data:
        raise InputError("no bytes to load into the DUT", fix="load at least one byte")
    chunks = [data[i : i + LOAD_CHUNK_BYTES] for i in range(0, len(data), LOAD_CHUNK_BYTES)]
    return [command(f"db load {len(data)}"), *(command(f"db {chunk.hex()}") for chunk in chunks)]
