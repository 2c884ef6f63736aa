"""JSON schemas of board and bench files, for editors and other tools (committed under docs/reference)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from pytest_lan_hil.config.bench import Bench
from pytest_lan_hil.config.board import Board

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def board_schema() -> dict[str, Any]:
    """JSON schema of a board file."""
    return _schema(Board)


def bench_schema() -> dict[str, Any]:
    """JSON schema of a bench file."""
    return _schema(Bench)


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema: dict[str, Any] = _as_toml(model.model_json_schema(by_alias=True))
    return {"$schema": DIALECT, **schema}


def _as_toml(node: Any) -> Any:
    """Without null, which TOML does not have, and without titles that only repeat the key."""
    if isinstance(node, list):
        return [_as_toml(item) for item in node]
    if not isinstance(node, dict):
        return node
    options = [option for option in node.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        node = {**options[0], **{key: value for key, value in node.items() if key != "anyOf"}}
    if node.get("default", "") is None:
        node = {key: value for key, value in node.items() if key != "default"}
    if node.get("type") in {"integer", "number"} and "examples" in node:
        node = {**node, "examples": [_number(example) for example in node["examples"]]}
    if "type" in node and isinstance(node.get("title"), str) and "properties" not in node:
        node = {key: value for key, value in node.items() if key != "title"}
    return {key: _as_toml(value) for key, value in node.items()}


def _number(example: float | str) -> float:
    if not isinstance(example, str):
        return example
    return int(example, 0) if example.startswith("0x") else float(example)
