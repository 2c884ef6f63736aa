"""The journal of an evaluation survives an interruption at every byte, and mixes no two evaluations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.run.accuracy.evaluation import Reply
from pytest_lan_hil.run.accuracy.journal import Journal, Key, forget

KEY = Key("nrf52840", "virtual", "ab" * 32, "cd" * 32)
REPLIES = [
    Reply(f"{digit}_zoë_0.wav", str(digit), "zoë", "3", 91.2, 31, 17, 0, 0.5, 0.61, 0.1) for digit in range(4)
]


def _write(path: Path) -> None:
    with Journal(path, KEY) as journal:
        for reply in REPLIES:
            journal.append(reply)


def test_replies_come_back_as_they_went(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.jsonl"
    _write(path)
    with Journal(path, KEY) as journal:
        assert list(journal.replies.values()) == REPLIES


def test_a_reply_is_on_file_before_the_next_is_asked_for(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.jsonl", KEY) as journal:
        journal.append(REPLIES[0])
        assert (tmp_path / "a.jsonl").read_text("utf-8").count("\n") == 2


def test_whatever_an_interruption_leaves_is_gone_on_from(tmp_path: Path) -> None:
    """Cut after each byte: whole replies stay, and the journal becomes the same as without the cut."""
    path = tmp_path / "a.jsonl"
    _write(path)
    whole = path.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        with Journal(path, KEY) as journal:
            kept = list(journal.replies.values())
            assert kept == REPLIES[: max(sum(end <= cut for end in ends) - 1, 0)]
            for reply in REPLIES[len(kept) :]:
                journal.append(reply)
        assert path.read_bytes() == whole


@pytest.mark.parametrize("part", ["board", "bench", "image", "dataset"])
def test_replies_of_another_evaluation_are_not_taken(tmp_path: Path, part: str) -> None:
    path = tmp_path / "a.jsonl"
    _write(path)
    other = replace(KEY, **{part: "other"})
    assert other.name != KEY.name
    with Journal(path, other) as journal:
        assert not journal.replies


def test_what_is_dropped_is_gone_from_the_file_and_the_rest_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    _write(path)
    with Journal(path, KEY) as journal:
        journal.drop({REPLIES[0].file, REPLIES[2].file})
        assert list(journal.replies.values()) == [REPLIES[1], REPLIES[3]]
        journal.append(REPLIES[2])
    with Journal(path, KEY) as journal:
        assert list(journal.replies.values()) == [REPLIES[1], REPLIES[3], REPLIES[2]]


@pytest.mark.parametrize("line", ["{}", "not json", '{"file": 3}'])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.jsonl"
    _write(path)
    lines = path.read_text("utf-8").splitlines()
    lines[2] = line
    path.write_text("\n".join(lines) + "\n", "utf-8")
    with pytest.raises(InputError, match=r"a\.jsonl:3 is no reply") as caught:
        Journal(path, KEY)
    assert "--restart" in caught.value.fix


def test_a_journal_that_can_not_be_read_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("in the way")
    with pytest.raises(InputError, match="folder"):
        Journal(tmp_path / "folder" / "a.jsonl", KEY)
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(InputError, match=r"binary\.jsonl"):
        Journal(tmp_path / "binary.jsonl", KEY)


def test_forgetting_removes_it_and_nothing_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    _write(path)
    forget(path)
    forget(path)
    assert not path.exists()
