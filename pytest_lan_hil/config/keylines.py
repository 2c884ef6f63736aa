"""Where each key of a TOML file stands, so that an error can name its line.

`tomllib` gives values without positions. This scanner walks text that `tomllib` has already accepted and
therefore checks nothing itself. Grammar: TOML 1.0.0, https://toml.io/en/v1.0.0.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_VALUE = re.compile(r"[^,\]}#\r\n]+")
_BASIC = re.compile(r'"((?:[^"\\]|\\.)*)"')
_LITERAL = re.compile(r"'([^']*)'")
# The closing quotes may be preceded by one or two quotes that belong to the text.
_MULTI_BASIC = re.compile(r'"""(?:[^\\]|\\.)*?""""{0,2}', re.DOTALL)
_MULTI_LITERAL = re.compile(r"'''.*?''''{0,2}", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """Map every key path of a valid TOML document to its line, counted from 1.

    Args:
        text: A document that `tomllib.loads` accepts; of any other the result is unspecified.

    Returns:
        Paths such as `("targets", "power_mw")`; elements of arrays have their index as part. A table that is
        opened by a header has the header's line, one that only follows from a dotted key has the line of
        the first such key.
    """
    return _Scanner(text).scan()


class _Scanner:
    """One pass over one document."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_starts = [0] + [found.end() for found in re.finditer("\n", text)]
        self._lines: dict[KeyPath, int] = {}
        self._table_counts: dict[KeyPath, int] = {}

    def scan(self) -> Mapping[KeyPath, int]:
        table: KeyPath = ()
        while True:
            self._skip(_BLANK_LINES)
            if self._at >= len(self._text):
                return self._lines
            if self._text.startswith("[[", self._at):
                table = self._header(2)
            elif self._text[self._at] == "[":
                table = self._header(1)
            else:
                self._key_value(table)

    def _header(self, brackets: int) -> KeyPath:
        line = self._line()
        self._at += brackets
        keys = self._dotted_key()
        self._at += brackets
        path: KeyPath = ()
        for key in keys[:-1]:
            path = self._enter((*path, key), line)
        path = (*path, keys[-1])
        if brackets == 2:
            index = self._table_counts.get(path, 0)
            self._table_counts[path] = index + 1
            self._lines.setdefault(path, line)
            path = (*path, index)
        self._lines[path] = line
        return path

    def _enter(self, path: KeyPath, line: int) -> KeyPath:
        """The table at `path`: the newest element, where that is an array of tables."""
        self._lines.setdefault(path, line)
        count = self._table_counts.get(path)
        return path if count is None else (*path, count - 1)

    def _key_value(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for key in self._dotted_key():
            path = (*path, key)
            self._lines.setdefault(path, line)
        self._at += 1  # the equals sign
        self._skip(_BLANK)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        first = self._text[self._at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        elif self._text.startswith('"""', self._at):
            self._skip(_MULTI_BASIC)
        elif self._text.startswith("'''", self._at):
            self._skip(_MULTI_LITERAL)
        elif first == '"':
            self._skip(_BASIC)
        elif first == "'":
            self._skip(_LITERAL)
        else:
            self._skip(_BARE_VALUE)

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(_BLANK_LINES)
            if self._text[self._at] == "]":
                break
            element = (*path, index)
            self._lines[element] = self._line()
            self._value(element)
            index += 1
            self._skip(_BLANK_LINES)
            if self._text[self._at] == ",":
                self._at += 1
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while True:
            self._skip(_BLANK_LINES)  # TOML 1.1 allows line breaks here
            if self._text[self._at] == "}":
                break
            self._key_value(path)
            self._skip(_BLANK_LINES)
            if self._text[self._at] == ",":
                self._at += 1
        self._at += 1

    def _dotted_key(self) -> list[str]:
        keys = []
        while True:
            self._skip(_BLANK)
            keys.append(self._simple_key())
            self._skip(_BLANK)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _simple_key(self) -> str:
        for pattern in (_BASIC, _LITERAL, _BARE_KEY):
            found = pattern.match(self._text, self._at)
            if found:
                self._at = found.end()
                if pattern is _BASIC:
                    return _ESCAPE.sub(_unescape, found[1])
                return found[found.lastindex or 0]
        raise ValueError(f"no key at offset {self._at}")

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ValueError(f"unexpected text at offset {self._at}")
        self._at = found.end()

    def _line(self) -> int:
        return bisect.bisect_right(self._line_starts, self._at)


def _unescape(found: re.Match[str]) -> str:
    code = found[1]
    return _ESCAPES[code] if code in _ESCAPES else chr(int(code[1:], 16))
