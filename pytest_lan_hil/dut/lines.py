"""Bytes to console lines. Pure, and the same whatever pieces the bytes arrive in."""

from __future__ import annotations

import re

MAX_LINE_BYTES = 4096
"""A line longer than this is cut: noise without line ends must not grow without bound."""

# Everything that a terminal might act on, and backspace-like tricks; tab stays.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(data: bytes) -> str:
    r"""`data` as text: UTF-8 where it is valid, every other byte and control character as ``\xNN``."""
    text = data.decode("utf-8", errors="backslashreplace")
    return _CONTROL.sub(lambda match: "".join(f"\\x{byte:02x}" for byte in match.group().encode()), text)


class LineAssembler:
    r"""Cuts a byte stream into lines at "\n"; "\r" before it is dropped."""

    def __init__(self) -> None:
        self._pending = bytearray()

    @property
    def pending(self) -> str:
        """The line that has not ended yet."""
        return printable(bytes(self._pending).rstrip(b"\r"))

    @property
    def has_pending(self) -> bool:
        """True if bytes of an unfinished line are there."""
        return bool(self._pending)

    def feed(self, data: bytes) -> list[str]:
        """Take `data`, return the lines that it finished."""
        lines: list[str] = []
        for piece in re.findall(rb"[^\n]*\n|[^\n]+", data):
            self._pending += piece
            while len(self._pending) - self._pending.endswith(b"\n") > MAX_LINE_BYTES:
                lines.append(printable(bytes(self._pending[:MAX_LINE_BYTES])))
                del self._pending[:MAX_LINE_BYTES]
            if self._pending.endswith(b"\n"):
                lines.append(printable(bytes(self._pending).rstrip(b"\r\n")))
                self._pending.clear()
        return lines
