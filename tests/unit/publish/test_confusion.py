"""The confusion matrix is in the record and in both reports."""

from __future__ import annotations

from dataclasses import replace

from publish_samples import RECORD

from pytest_lan_hil.model.record import Confusion
from pytest_lan_hil.publish.confusion import matrix_lines
from pytest_lan_hil.publish.html import render_html
from pytest_lan_hil.publish.record import from_json, to_json
from pytest_lan_hil.publish.text import render_text

MATRIX = Confusion("data/<digits>", "ab" * 32, ("yes", "no", "silence"), ((28, 2, 0), (0, 7, 1), (0, 0, 0)))
WITH = replace(RECORD, tests=(replace(RECORD.tests[0], confusion=MATRIX), *RECORD.tests[1:]))


def test_the_record_keeps_it() -> None:
    assert from_json(to_json(WITH)).tests[0].confusion == MATRIX
    assert from_json(to_json(RECORD)).tests[0].confusion is None


def test_rows_are_those_that_were_said_and_nothing_is_a_dot() -> None:
    assert matrix_lines(MATRIX) == [
        "     yes  no  silence",
        "yes   28   2        .",
        "no     .   7        1",
    ]


def test_the_text_report_has_it() -> None:
    assert "    no     .   7        1\n" in render_text(WITH)
    assert "confusion" not in render_text(RECORD)


def test_the_page_has_it_with_its_dataset() -> None:
    page = render_html(WITH, {})
    assert '<tr><th scope="row">yes</th><td class="number right">28</td><td class="number">2</td>' in page
    assert '<td class="number">30</td></tr>' in page
    assert "data/&lt;digits&gt;" in page
    assert '<th scope="row">silence</th>' not in page
    assert '<table class="confusion">' not in render_html(RECORD, {})
