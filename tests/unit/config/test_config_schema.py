"""The exported JSON schemas: committed, current, and of one mind with the models."""

import json
import re
import sys
from pathlib import Path
from textwrap import dedent

import jsonschema
import pytest

from pytest_lan_hil.config import bench_schema, board_schema, read_bench, read_board

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
SCHEMAS = {"board": board_schema, "bench": bench_schema}
READERS = {"board": read_board, "bench": read_bench}
FOLDERS = {"board": "boards", "bench": "benches"}
PAGES = [
    DOCS / "reference" / "boards.md",
    DOCS / "reference" / "benches.md",
    DOCS / "how-to" / "add-a-board.md",
    DOCS / "how-to" / "describe-a-bench.md",
]
FENCE = r"^(?P<indent> *)```toml (?P<kind>board|bench)\b.*?\n(?P<text>.*?)^(?P=indent)```"
EXAMPLES = [
    pytest.param(found["kind"], dedent(found["text"]), id=f"{page.stem}-{number}")
    for page in PAGES
    for number, found in enumerate(re.finditer(FENCE, page.read_text("utf-8"), re.MULTILINE | re.DOTALL))
]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_committed_schema_is_current(kind):
    committed = json.loads((DOCS / "reference" / f"{kind}.schema.json").read_text("utf-8"))
    assert committed == SCHEMAS[kind](), (
        f"write it anew: lan-hil schema {kind} > docs/reference/{kind}.schema.json"
    )


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_schema_accepts_every_shipped_file(kind):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[kind]())
    files = sorted((ROOT / FOLDERS[kind]).glob("*.toml"))
    assert files
    for path in files:
        jsonschema.validate(tomllib.loads(path.read_text("utf-8")), SCHEMAS[kind]())
        READERS[kind](path)


@pytest.mark.parametrize(
    "text",
    [
        "supply_v = 3.0",
        'target = "x"\nsupply_v = "3"',
        'target = "x"\nsupply_v = 3.0\ncolour = 1',
        'target = "x"\nsupply_v = 3.0\n[targets]\npower_mw = -1',
        'target = "x"\nsupply_v = 3.0\n[marker_pins]\ninference = "13"',
    ],
)
def test_the_schema_refuses_what_the_model_refuses(text):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), board_schema())


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_an_example_in_the_documentation_is_valid(kind, text, tmp_path):
    path = tmp_path / "example.toml"
    path.write_text(text, encoding="utf-8")
    READERS[kind](path)
    jsonschema.validate(tomllib.loads(text), SCHEMAS[kind]())


def test_every_page_shows_an_example():
    assert {example.id.rpartition("-")[0] for example in EXAMPLES} == {page.stem for page in PAGES}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_reference_page_explains_every_key(kind):
    page = (DOCS / "reference" / f"{FOLDERS[kind]}.md").read_text("utf-8")
    for key in SCHEMAS[kind]()["properties"]:
        assert f"`{key}`" in page or f"`[{key}]`" in page, key
