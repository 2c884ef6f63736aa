"""The run record as JSON: written once, atomically, with a published schema (docs/reference/run-record.md).

JSON has no infinity. An interval that the samples can't bound is written as null, and only these keys may be
null: `ci95_low`, `low` and `change_low` (read back as minus infinity), `ci95_high`, `high`, `change_high`,
`instrument_error`, a contribution's `half_width`, and of a comparison's sides `standard_error` and `degrees`
(plus infinity). Keys are sorted and numbers are Python's shortest round-trip
form, so that equal values are equal bytes.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pytest_lan_hil.model.errors import InputError, MeasurementInvalid
from pytest_lan_hil.model.record import SCHEMA_VERSION, RunRecord
from pytest_lan_hil.publish import strict_json
from pytest_lan_hil.publish.files import RECORD_NAME, write_atomically

SCHEMA_ID = "https://pytest-lan-hil.invalid/schema/run-record-1.json"

_UNBOUNDED = {
    "ci95_low": -math.inf,
    "low": -math.inf,
    "ci95_high": math.inf,
    "high": math.inf,
    "instrument_error": math.inf,
    "half_width": math.inf,
    "change_low": -math.inf,
    "change_high": math.inf,
    "standard_error": math.inf,
    "degrees": math.inf,
}
_OBJECTS = frozenset({"measurements", "versions"})
# json.dumps puts every number of `values` on its own line; JSON strings hold no raw line break, so a bracket,
# a line break and nothing but numbers up to the closing bracket is always an array of numbers.
_NUMBER_ARRAY = re.compile(r"\[\n\s+(-?[0-9][-+0-9.eE,\s]*)\n\s*\]")


def write_record(record: RunRecord, directory: Path) -> Path:
    """Write `record.json` into the run's folder, whole or not at all; returns its path.

    Raises:
        InputError: The file can't be written.
        MeasurementInvalid: A figure is not a number, where an interval's open end is not meant.
    """
    return write_atomically(directory / RECORD_NAME, to_json(record))


def read_record(path: Path) -> RunRecord:
    """Read a record that `write_record` wrote; `path` is the file or the run's folder.

    Raises:
        InputError: Not there, not JSON, not a run record, or one of another schema version.
    """
    path = path / RECORD_NAME if path.is_dir() else path
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"reading run record {path}: {getattr(error, 'strerror', None) or error}",
            fix="name a record.json that a run wrote",
        ) from error
    return from_json(text, origin=str(path))


def to_json(record: RunRecord) -> str:
    """The record as JSON text: sorted keys, indented, with a trailing newline.

    Raises:
        MeasurementInvalid: See `write_record`.
    """
    return _dumps(_plain(record, ""))


def measurements_json(record: RunRecord) -> str:
    """Only what was measured, as JSON text: the run's `measurements`, and each test's by node id.

    Two runs that measured the same, byte for byte, give the same text, whatever their ids, times and commits.
    """
    return _dumps(
        {
            "run": _plain(record.measurements or {}, "measurements"),
            "tests": {
                test.nodeid: _plain(test.measurements or {}, f"tests[{test.nodeid}].measurements")
                for test in record.tests
            },
        }
    )


def _dumps(tree: object) -> str:
    text = json.dumps(tree, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return _NUMBER_ARRAY.sub(lambda match: "[" + " ".join(match[1].split()) + "]", text) + "\n"


def _plain(value: Any, place: str, key: str = "") -> Any:
    """Dataclasses, tuples and enums to what JSON has; `place` is told when a figure can't be written."""
    if dataclasses.is_dataclass(value):
        return {
            field.name: _plain(getattr(value, field.name), f"{place}.{field.name}".lstrip("."), field.name)
            for field in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {_text(name): _plain(item, f"{place}.{name}", str(name)) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        if value == _UNBOUNDED.get(key):
            return None
        raise MeasurementInvalid(
            f"writing the run record: {place} is {value}",
            fix="report this: only an interval's ends may be open",
        )
    return {} if value is None and key in _OBJECTS else value


def _text(value: str) -> str:
    """Text that UTF-8 can hold: lone surrogates (undecodable console bytes) become backslash escapes."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def from_json(text: str, *, origin: str = "run record") -> RunRecord:
    """The inverse of `to_json`. Keys that this version doesn't know are ignored.

    Raises:
        InputError: See `read_record`; `origin` names the source in the message.
    """
    try:
        tree = strict_json.loads(text)
    except ValueError as error:
        raise InputError(
            f"{origin} is not JSON: {error}", fix="name a record.json that a run wrote"
        ) from None
    if not isinstance(tree, dict) or "schema_version" not in tree or "run_id" not in tree:
        raise InputError(
            f"{origin} is JSON, but not a run record: it has no schema_version and run_id",
            fix="name a record.json that a run wrote (docs/reference/run-record.md)",
        )
    version = tree["schema_version"]
    if version != SCHEMA_VERSION:
        newer = isinstance(version, int) and version > SCHEMA_VERSION
        raise InputError(
            f"{origin} has schema version {version!r}, this version of pytest-lan-hil reads {SCHEMA_VERSION}",
            fix="upgrade pytest-lan-hil"
            if newer
            else "repeat the run, or read it with the version that wrote it",
        )
    try:
        # strict JSON mode: arrays for tuples and text for enums, but never a number in quotes
        return _adapter().validate_json(json.dumps(_opened(tree)), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{origin} is not a valid run record: {place}: {first['msg']}"
            + (f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""),
            fix="compare it with docs/reference/run-record.schema.json",
        ) from None


def _opened(value: Any, key: str = "") -> Any:
    """Null at an interval's end to the infinity that it stands for."""
    if isinstance(value, dict):
        return {name: _opened(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_opened(item) for item in value]
    return _UNBOUNDED[key] if value is None and key in _UNBOUNDED else value


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[RunRecord]:
    return TypeAdapter(RunRecord)


def json_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of what `write_record` writes.

    Committed as docs/reference/run-record.schema.json (a test keeps it current).
    """
    schema = _adapter().json_schema(mode="serialization")
    for definition in (schema, *schema["$defs"].values()):
        properties = definition.get("properties")
        if properties is None:
            continue
        definition["required"] = sorted(properties)
        for name, spec in properties.items():
            spec.pop("default", None)
            if name in _OBJECTS:  # None is written as {}
                spec.update(next(option for option in spec.pop("anyOf") if option.get("type") == "object"))
    for definition in ("Estimate", "Contribution", "Comparison", "Arm"):
        _open_ends(schema["$defs"][definition]["properties"])
    schema["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **_walk(schema, _tidy),
        "title": "Run record of pytest-lan-hil",
    }


def _open_ends(properties: dict[str, Any]) -> None:
    for name, infinity in ((name, _UNBOUNDED[name]) for name in properties if name in _UNBOUNDED):
        side = "below" if infinity < 0 else "above"
        properties[name]["type"] = ["number", "null"]
        properties[name]["description"] = f"null: not bounded {side}"


def _tidy(node: dict[str, Any]) -> dict[str, Any]:
    """Without the titles that pydantic derives from the field names, and in plain line breaks."""
    kept = {key: item for key, item in node.items() if not (key == "title" and isinstance(item, str))}
    if isinstance(kept.get("description"), str):
        kept["description"] = " ".join(kept["description"].split())
    return kept


def _walk(value: Any, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    if isinstance(value, dict):
        return {key: _walk(item, edit) for key, item in edit(value).items()}
    return [_walk(item, edit) for item in value] if isinstance(value, list) else value
