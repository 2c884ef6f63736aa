import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.config.keylines import KeyPath, key_lines

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def paths_of(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths_of(inner, (*path, key))


KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=4),
)
SCALARS = st.sampled_from(
    [
        "1",
        "-0.5",
        "true",
        "inf",
        "0x2000_0000",
        "1979-05-27 07:32:00",
        '"plain"',
        r'"esc \" # ] } \\"',
        "'lit # \\'",
        '""',
        "''",
        '"""one\n# two = 3\n"quoted" \\" """',
        '"""ends with two"""""',
        "'''raw\n[not.a.table]\n''two'''''",
        '""""""',
    ]
)
COMMENTS = st.sampled_from(["", " # note", "\t# [x] = {"])
BLANKS = st.sampled_from(["", "\n", "# a = 1\n", "   \n\n"])


def quoted(key: str) -> str:
    if key and all(char.isascii() and (char.isalnum() or char in "_-") for char in key):
        return key
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.sampled_from(["scalar", "array", "inline"] if depth else ["scalar"]))
    if kind == "scalar":
        return draw(SCALARS)
    if kind == "array":
        gap = draw(st.sampled_from(["", " ", "\n", " # [\n  "]))
        items = draw(st.lists(values(depth - 1), max_size=3))
        tail = draw(st.sampled_from(["", ",", gap])) if items else gap
        return "[" + gap + f",{gap}".join(items) + (gap if items else "") + tail + gap + "]"
    members = draw(st.lists(st.tuples(KEYS, values(depth - 1)), max_size=3, unique_by=lambda item: item[0]))
    return "{" + ", ".join(f"{quoted(key)} = {value}" for key, value in members) + "}"


@st.composite
def documents(draw: st.DrawFn) -> str:
    def pairs() -> str:
        members = draw(st.lists(st.tuples(KEYS, values()), max_size=3, unique_by=lambda item: item[0]))
        return "".join(f"{draw(BLANKS)}{quoted(key)} = {value}{draw(COMMENTS)}\n" for key, value in members)

    text = pairs()
    for key in draw(st.lists(KEYS, max_size=4)):
        sub = draw(st.lists(KEYS, max_size=2))
        name = ".".join(map(quoted, [key, *sub]))
        header = draw(st.sampled_from(["[{}]", "[[{}]]", "[ {} ] # c"])).format(name)
        text += f"{draw(BLANKS)}{header}\n{pairs()}"
        dotted = draw(st.lists(KEYS, min_size=2, max_size=3))
        text += f"{' . '.join(map(quoted, dotted))} = 1\n"
    return text


def valid(text: str) -> dict[str, object] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


@given(documents())
def test_every_key_that_tomllib_sees_has_a_line_and_no_other(text):
    parsed = valid(text)
    if parsed is None:
        return
    assert set(key_lines(text)) == set(paths_of(parsed))


@given(documents())
def test_a_line_shows_the_last_part_of_its_key(text):
    if valid(text) is None:
        return
    lines = text.split("\n")
    for path, line in key_lines(text).items():
        names = [part for part in path if isinstance(part, str)]
        if isinstance(path[-1], str):
            assert quoted(names[-1]) in lines[line - 1]


def test_lines_are_those_a_person_would_point_at():
    text = "\n".join(
        [
            "a = 1",  # 1
            "b.c = 2",  # 2
            "[t]",  # 3
            "# d = 0",  # 4
            "d = '''",  # 5
            "e = 1",  # 6
            "'''",  # 7
            "list = [",  # 8
            "  1,",  # 9
            "  { x = 1 },",  # 10
            "]",  # 11
            "[t.u.v]",  # 12
            "[[rows]]",  # 13
            "k = 1",  # 14
            "[rows.inner]",  # 15
            "z = 1",  # 16
            "[[rows]]",  # 17
            "[rows.inner]",  # 18
            "[t.u]",  # 19
        ]
    )
    assert key_lines(text) == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 2,
        ("t",): 3,
        ("t", "d"): 5,
        ("t", "list"): 8,
        ("t", "list", 0): 9,
        ("t", "list", 1): 10,
        ("t", "list", 1, "x"): 10,
        ("t", "u"): 19,
        ("t", "u", "v"): 12,
        ("rows",): 13,
        ("rows", 0): 13,
        ("rows", 0, "k"): 14,
        ("rows", 0, "inner"): 15,
        ("rows", 0, "inner", "z"): 16,
        ("rows", 1): 17,
        ("rows", 1, "inner"): 18,
    }


@pytest.mark.parametrize("text", ["", "\n\n# only a comment", "\r\n"])
def test_a_document_without_keys_has_no_lines(text):
    assert key_lines(text) == {}


def test_windows_line_ends_count_once():
    assert key_lines("a = 1\r\nb = 'x'\r\n[c]\r\n") == {("a",): 1, ("b",): 2, ("c",): 3}


def test_an_escaped_key_is_found_by_its_meaning():
    assert key_lines('"\\u0061\\t\\"" = 1\n') == {('a\t"',): 1}
