"""The Rust client's names are those that the quantity table generates."""

from __future__ import annotations

from monitoring.generate.rust_names import FILE, text


def test_the_committed_names_are_what_the_table_generates() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run python -m monitoring.generate.rust_names"
