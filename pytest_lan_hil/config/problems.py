"""pydantic's findings in the user's words: file, line, key, what was found, and what to write instead."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pytest_lan_hil.config.fields import nearest
from pytest_lan_hil.config.keylines import KeyPath
from pytest_lan_hil.model.errors import ConfigError

_LIMITS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def explain(
    invalid: ValidationError, model: type[BaseModel], path: Path, lines: Mapping[KeyPath, int]
) -> ConfigError:
    """One ConfigError that holds every finding of a file, in the order of its lines."""
    details = invalid.errors(include_url=False)
    misspelt = {
        (*detail["loc"][:-1], _meant(detail, model))
        for detail in details
        if detail["type"] == "extra_forbidden"
    }
    return bundle(
        [
            _explain_one(detail, model, path, lines)
            for detail in details
            if not (detail["type"] == "missing" and detail["loc"] in misspelt)
        ]
    )


def bundle(errors: Sequence[ConfigError]) -> ConfigError:
    """Join the errors of one file into one, in the order of its lines."""
    first, *others = sorted(errors, key=lambda error: (error.line or 0, error.key))
    return ConfigError(
        first.problem, path=first.path, line=first.line, key=first.key, fix=first.fix, others=others
    )


def _explain_one(
    detail: ErrorDetails, model: type[BaseModel], path: Path, lines: Mapping[KeyPath, int]
) -> ConfigError:
    loc: KeyPath = tuple(part for part in detail["loc"] if part != "[key]")
    context = detail.get("ctx", {})
    if context.get("key"):
        loc = (*loc, str(context["key"]))
    problem, fix = _words(detail, loc, model)
    return ConfigError(problem, path=path, line=_line(loc, lines), key=dotted(loc), fix=fix)


def _words(detail: ErrorDetails, loc: KeyPath, model: type[BaseModel]) -> tuple[str, str]:
    kind, found, context = detail["type"], detail["input"], detail.get("ctx", {})
    field = _field(model, loc)
    names = [part for part in loc if isinstance(part, str)]
    key = names[-1] if names else ""
    if kind == "hil":
        return context["problem"], context["fix"]
    if kind == "extra_forbidden":
        return _unknown_key(key, _keys_at(model, loc[:-1]), loc)
    if kind == "missing":
        return "is missing", f"add the line  {_example(key, field)}"
    if kind in _LIMITS:
        bound, word = _LIMITS[kind]
        return (
            f"must be {word} {context[bound]:g}, but is {shown(found)}",
            f"write for example  {_example(key, field)}",
        )
    if kind == "finite_number":
        return f"must be a finite number, but is {shown(found)}", f"write for example  {_example(key, field)}"
    if kind == "string_too_short":
        return "is empty", f"write for example  {_example(key, field)}"
    wanted = {
        "string_type": "text in quotes",
        "path_type": "text in quotes",
        "float_type": "a number",
        "int_type": "a whole number",
        "tuple_type": "a list",
        "model_type": "a table",
        "model_attributes_type": "a table",
        "mapping_type": "a table",
        "dict_type": "a table",
    }.get(kind)
    if wanted is None:
        return detail["msg"], f"write for example  {_example(key, field)}"
    problem = f"must be {wanted}, but is {_kind_of(found)} ({shown(found)})"
    if isinstance(loc[-1], int):  # an element of a list: the example is the whole list
        return problem, f"write for example  {_example(key, field)}"
    return problem, f"write  {_example(key, field, found, kind)}"


def _meant(detail: ErrorDetails, model: type[BaseModel]) -> str | None:
    return nearest(str(detail["loc"][-1]), _keys_at(model, detail["loc"][:-1]))


def _unknown_key(key: str, known: Sequence[str], loc: KeyPath) -> tuple[str, str]:
    near = nearest(key, known)
    place = f" in [{dotted(loc[:-1])}]" if len(loc) > 1 else ""
    hint = f'did you mean "{near}"?' if near else "remove it"
    return f'unknown key "{key}"{place}', f"{hint} Known keys: {', '.join(known)}"


def _keys_at(model: type[BaseModel], loc: KeyPath) -> list[str]:
    inner = _model_at(model, loc)
    return [field.alias or name for name, field in inner.model_fields.items()] if inner else []


def _model_at(model: type[BaseModel], loc: KeyPath) -> type[BaseModel] | None:
    current: type[BaseModel] | None = model
    for part in loc:
        field = _field_of(current, str(part)) if current else None
        current = _model_of(field) if field else None
    return current


def _field(model: type[BaseModel], loc: KeyPath) -> FieldInfo | None:
    """The field at `loc`; for an element of a list or mapping, the field that holds it."""
    for end in range(len(loc), 0, -1):
        inner = _model_at(model, loc[: end - 1])
        field = _field_of(inner, str(loc[end - 1])) if inner else None
        if field is not None:
            return field
    return None


def _field_of(model: type[BaseModel], key: str) -> FieldInfo | None:
    for name, field in model.model_fields.items():
        if (field.alias or name) == key:
            return field
    return None


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    options = [field.annotation, *getattr(field.annotation, "__args__", ())]
    for option in options:
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def _example(key: str, field: FieldInfo | None, found: object = None, kind: str = "") -> str:
    """The line as it should stand; keeps the user's own value where only its form is wrong."""
    if kind == "string_type" and isinstance(found, int | float) and not isinstance(found, bool):
        return f'{key} = "{found}"'
    if kind in {"float_type", "int_type"} and isinstance(found, str) and _is_number(found, kind):
        return f"{key} = {found.strip()}"
    if kind == "tuple_type" and isinstance(found, str):
        return f'{key} = ["{found}"]'
    if field is None:
        return f"{key} = ..."
    example = (field.examples or [None])[0]
    inner = _model_of(field)
    if inner is not None:
        parts = [
            _example(field.alias or name, field)
            for name, field in inner.model_fields.items()
            if field.examples
        ]
        return f"{key} = {{ {', '.join(parts)} }}" if key != "targets" else f"[targets]  {parts[0]}"
    if isinstance(example, dict) and kind not in {"mapping_type", "dict_type", ""}:
        example = next(iter(example.values()))
    if isinstance(example, dict):
        inside = ", ".join(f"{name} = {_toml(value)}" for name, value in example.items())
        return f"{key} = {{ {inside} }}"
    return f"{key} = {_toml(example, field)}"


def _is_number(text: str, kind: str) -> bool:
    try:
        float(text) if kind == "float_type" else int(text)
    except ValueError:
        return False
    return True


def _toml(value: object, field: FieldInfo | None = None) -> str:
    # Examples of numbers are texts where their spelling matters (3.0, 0x2000_0000).
    return str(value) if field is not None and _is_numeric(field.annotation) else shown(value)


def _is_numeric(annotation: object) -> bool:
    """True for `int`, `float`, and either of them `| None`."""
    return any(kind in (int, float) for kind in (annotation, *getattr(annotation, "__args__", ())))


def shown(value: Any) -> str:
    """A value as TOML writes it, shortened to fit a line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, Mapping):
        text = "{ " + ", ".join(f"{key} = {shown(item)}" for key, item in value.items()) + " }"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(map(shown, value)) + "]"
    else:
        text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    return "a date or time" if isinstance(value, datetime.date | datetime.time) else type(value).__name__


def dotted(loc: KeyPath) -> str:
    """A key path as TOML writes it; elements of arrays as [index]."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _line(loc: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """The line of a key, else of the table that should hold it, else None for the file itself."""
    for end in range(len(loc), 0, -1):
        if loc[:end] in lines:
            return lines[loc[:end]]
    return None
