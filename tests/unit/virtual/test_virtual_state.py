"""State files: atomic, locked by process, loud when damaged. Faults: parsed, or refused with a form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from pytest_lan_hil.model.errors import BlockedError, InputError, LeaseError
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.state import BoardState, list_states, reset_state


def test_content_survives_and_is_written_only_when_changed(tmp_path):
    state = BoardState("nrf52840", root=tmp_path)
    assert state.load(4) is None
    assert state.save(b"abcd") is True
    stamp = state.path.stat().st_mtime_ns
    assert state.save(b"abcd") is False
    assert state.path.stat().st_mtime_ns == stamp
    state.close()
    again = BoardState("nrf52840", root=tmp_path)
    assert again.load(4) == b"abcd"
    again.close()
    assert not list(tmp_path.rglob(".nonvolatile-*")), "no temporary file is left"


def test_another_process_is_named_after_a_bounded_wait(tmp_path):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(f"""
                from pathlib import Path
                from pytest_lan_hil.virtual.state import BoardState
                held = BoardState("nrf52840", root=Path({str(tmp_path)!r}))
                print("held", flush=True)
                input()
            """),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LeaseError, match=f"process {holder.pid}"):
            BoardState("nrf52840", root=tmp_path, wait_s=0.2)
        assert [info.owner_pid for info in list_states(tmp_path)] == [holder.pid]
    finally:
        holder.kill()
        holder.communicate()
    # Killed without tidying up: the board is free at once, and nobody is named as its owner.
    assert [info.owner_pid for info in list_states(tmp_path)] == [None]
    BoardState("nrf52840", root=tmp_path, wait_s=0.2).close()


@pytest.mark.parametrize("damage", [b"", b"something else", b"pytest-lan-hil virtual nonvolatile 1\nxx"])
def test_damaged_file_says_how_to_erase_it(tmp_path, damage):
    state = BoardState("nrf52840", root=tmp_path)
    state.path.write_bytes(damage)
    with pytest.raises(BlockedError, match="lan-hil virtual reset nrf52840"):
        state.load(4)
    state.close()


def test_reset_erases_and_says_whether_there_was_anything(tmp_path):
    assert reset_state("nrf52840", tmp_path) is False
    state = BoardState("nrf52840", root=tmp_path)
    state.save(b"abcd")
    state.close()
    assert [(info.name, info.stored_bytes > 0) for info in list_states(tmp_path)] == [("nrf52840", True)]
    assert reset_state("nrf52840", tmp_path) is True
    assert reset_state("nrf52840", tmp_path) is False


def test_unwritable_root_is_a_bench_problem_with_a_fix(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(BlockedError, match="LAN_HIL_VIRTUAL_STATE"):
        BoardState("nrf52840", root=blocked)


def test_owner_file_names_this_process_while_held(tmp_path):
    state = BoardState("nrf52840", root=tmp_path)
    assert json.loads((state.directory / "owner.json").read_text())["pid"] == os.getpid()
    state.close()
    assert not (state.directory / "owner.json").exists()


def test_faults_are_parsed():
    faults = Faults.parse("drop@1.0:0.01, stuck_low=gpi0; probe_absent,analyzer_vanish@2")
    assert faults.probe_absent
    assert faults.stuck("gpi0") is False
    assert faults.stuck("gpi1") is None
    assert (faults.first("drop").at, faults.first("drop").length) == (1.0, 0.01)
    assert faults.first("console_silent") is None
    assert not Faults.parse("").entries


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("drop", "drop@1.0:0.01"),
        ("stuck_low", "stuck_low=gpi0"),
        ("gremlins", "probe_absent"),
        ("drop@-1:2", "drop@"),
    ],
)
def test_wrong_fault_shows_the_right_form(text, form):
    with pytest.raises(InputError, match=form):
        Faults.parse(text)
