"""docs/reference/dut-console.md leaves out no command, no answer and no error of the firmware."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_lan_hil.dut import lnn_protocol, protocol

ROOT = Path(__file__).resolve().parents[3]
COMMON = ROOT / "firmware" / "common"
TEXT = (ROOT / "docs" / "reference" / "dut-console.md").read_text(encoding="utf-8")
SOURCES = {name: (COMMON / f"{name}.c").read_text() for name in ("console", "lnn", "buffer", "run", "hear")}


def commands() -> list[str]:
    """Every command, as the dispatch tables and the subcommands' comparisons have it."""
    table = re.compile(r'\{"(\w+)", \w+\}')
    found = table.findall(SOURCES["console"])
    found += [f"lnn {word}" for word in table.findall(SOURCES["lnn"])]
    found += [f"db {word}" for word in re.findall(r'lan_same\(args->word\[1\], "(\w+)"\)', SOURCES["buffer"])]
    found += [
        f"lnn fault {word}" for word in re.findall(r'lan_same\(args->word\[2\], "(\w+)"\)', SOURCES["lnn"])
    ]
    return found


def answers() -> list[str]:
    """The fixed beginning of every message and error that a source file can print."""
    found = []
    for source in SOURCES.values():
        found += re.findall(r'"((?:m-|e-\[)[^"\\]+)"', source)
        found += [f"e-[{text}" for text in re.findall(r'lan_error\("([^"]+)"\)', source)]
        found += [
            f"e-[{text} must be a number from" for text in re.findall(r'lan_error_number\("([^"]+)"', source)
        ]
        found += re.findall(r'field\("(,\w+=)"', source)
    return found


def test_the_sources_are_read_as_this_test_thinks() -> None:
    assert {"name", "infer", "db load", "lnn listen", "lnn fault stack"} <= set(commands())
    assert {"m-lnn-stack-[used=", ",overruns=", "e-[Inference warmup must be >=0"} <= set(answers())


@pytest.mark.parametrize("command", commands())
def test_every_command_is_on_the_page(command: str) -> None:
    if command in ("db", "lnn"):
        assert f"| `{command} " in TEXT
        return
    assert re.search(rf"^\| `{re.escape(command)}[` ]", TEXT, re.MULTILINE)


@pytest.mark.parametrize("answer", sorted(set(answers())))
def test_every_answer_is_on_the_page(answer: str) -> None:
    assert answer in TEXT


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("DB_BYTES", "1 to {}"),
        ("DB_BYTES", "exceeds maximum of {}"),
        ("LINE_MAX", "e-[Command longer than {} characters]"),
        ("PACE_MAX_MS", "from 0 to {}]"),
        ("LISTEN_MAX_MS", "from 1 to {}]"),
        ("COUNT_MAX", "a number from 1 to {}"),
        ("HOP_MS", "an inference every {} ms"),
    ],
)
def test_limits_on_the_page_are_those_of_the_firmware(name: str, form: str) -> None:
    value = re.search(rf"^#define LAN_{name} (\d+)u", (COMMON / "config.h").read_text(), re.MULTILINE)
    assert value is not None
    assert form.format(value[1]) in TEXT


def test_every_message_of_the_grammar_is_on_the_page() -> None:
    samples = [
        protocol.Ready(), protocol.InitDone(), protocol.LoadDone(), protocol.WarmupDone(),
        protocol.InferDone(), protocol.ListenStart(),
        protocol.Name("dut", ""), protocol.ProfileText(""), protocol.Model(""),
        protocol.Lap(0), protocol.Expecting(0), protocol.WarmupStart(0), protocol.InferStart(0),
        protocol.Results((0.0,)), protocol.Identity("", "", ""), protocol.ListenDone(0), protocol.Pace(0),
        protocol.Stack(0, 0), protocol.Status(()), protocol.DeviceError(""),
        lnn_protocol.Labels(("0",)), lnn_protocol.HearStart(0), lnn_protocol.HearReady(0),
        lnn_protocol.HearTaken(0, 0), lnn_protocol.Heard(0, "0", 0, 0, 0, 0), lnn_protocol.MetricsFrame(b""),
    ]  # fmt: skip
    kinds = set(protocol.Message.__args__) - {protocol.Text}
    assert {type(sample) for sample in samples} == kinds
    stems = [re.split(r"(?<=\[)|[0\]]", protocol.render(sample))[0] for sample in samples]
    assert [stem for stem in stems if stem not in TEXT] == []


def test_examples_on_the_page_are_read_by_the_harness() -> None:
    lines = [
        line for block in re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()
    ]
    assert len(lines) > 10
    unread = [line for line in lines if isinstance(protocol.parse_line(line), protocol.Text)]
    assert unread == ["m-timestamp-mode-performance"]
