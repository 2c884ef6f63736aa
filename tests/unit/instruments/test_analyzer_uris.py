"""An analyzer URI that can't be meant says what was written and what to write."""

from __future__ import annotations

import pytest

from pytest_lan_hil.instruments import open_analyzer, parse_analyzer_uri, registry
from pytest_lan_hil.instruments.registry import AnalyzerUri
from pytest_lan_hil.model.errors import InputError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("joulescope:", ("joulescope", "", "", {})),
        ("joulescope:002557", ("joulescope", "", "002557", {})),
        ("joulescope:JS220-002557?i_range=18 mA", ("joulescope", "", "JS220-002557", {"i_range": "18 mA"})),
        (
            "joulescope+virtual:nrf52840?gpi0=P0.13&gpi1=&seed=7",
            ("joulescope", "virtual", "nrf52840", {"gpi0": "P0.13", "gpi1": "", "seed": "7"}),
        ),
        ("ppk2:/dev/ttyACM0", ("ppk2", "", "/dev/ttyACM0", {})),
    ],
)
def test_a_uri_is_taken_apart(text, parts):
    uri = parse_analyzer_uri(text)
    assert (uri.kind, uri.driver, uri.target, dict(uri.options)) == parts
    assert uri.text == text


@pytest.mark.parametrize("text", ["", "joulescope", ":002557", "+virtual:nrf52840", "002557"])
def test_a_uri_without_a_kind_is_refused_with_an_example(text):
    with pytest.raises(InputError, match="not of the form KIND:TARGET") as caught:
        parse_analyzer_uri(text)
    assert repr(text) in str(caught.value)
    assert "joulescope:002557" in caught.value.fix


def test_options_that_are_no_pairs_are_refused():
    with pytest.raises(InputError, match="not a list of options") as caught:
        parse_analyzer_uri("joulescope:002557?fast")
    assert "?name=value" in caught.value.fix


def test_an_unknown_kind_is_refused_with_the_kinds_there_are():
    with pytest.raises(InputError, match="no instrument of kind 'multimeter'") as caught:
        open_analyzer("multimeter:1", markers={})
    assert "joulescope" in caught.value.fix
    assert registry.GROUP in caught.value.fix


def test_a_kind_of_another_package_is_opened_with_everything_it_needs(monkeypatch):
    calls = []

    class Entry:
        name = "multimeter"

        def load(self):
            return lambda uri, **wiring: calls.append((uri, wiring)) or "opened"

    monkeypatch.setattr(registry, "entry_points", lambda group: [Entry()] if group == registry.GROUP else [])
    analyzer = open_analyzer("multimeter:7?nplc=1", markers={"inference": "ext"}, supply_v=1.8)
    assert analyzer == "opened"
    assert calls == [
        (
            AnalyzerUri("multimeter:7?nplc=1", "multimeter", "", "7", {"nplc": "1"}),
            {"markers": {"inference": "ext"}, "supply_v": 1.8},
        )
    ]
