"""`lan-hil bisect` and `bisect-step`: what they print and how they end; sessions are made up."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from past_runs import latency, one_test, past
from publish_samples import comparison
from required import binary

from pytest_lan_hil.cli import main
from pytest_lan_hil.model.comparison import Arm
from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.model.record import RunKind
from pytest_lan_hil.run.bisect.session import Comparer

BUILD = ("--image", "a.elf", "--", "cp", "source.txt", "a.elf")
KINDS = {"good": VerdictKind.WITHIN, "bad": VerdictKind.REGRESSED, "open": VerdictKind.INCONCLUSIVE}


@pytest.fixture
def commits(tmp_path, monkeypatch):
    """Makes a repository here, whose commits have these words in `source.txt`; the last is checked out."""
    git = binary("git", "git")
    top = tmp_path / "project"
    top.mkdir()
    monkeypatch.chdir(top)
    monkeypatch.setattr(Comparer, "compare", _compare)

    def run(*arguments):
        who = ("-c", "user.name=n", "-c", "user.email=e@e.invalid", "-c", "commit.gpgsign=false")
        subprocess.run([git, *who, *arguments], check=True, capture_output=True)

    def make(words):
        run("init", "--quiet", "--initial-branch", "main")
        for number, word in enumerate(words.split()):
            Path("source.txt").write_text(word)
            Path("number.txt").write_text(str(number))
            run("add", "source.txt", "number.txt")
            run("commit", "--quiet", "--message", f"{number}: {word}")
        return top

    return make


def _compare(self, base, head, log):
    del self, base
    kind = KINDS[head.read_text().rstrip("0123456789")]
    sides = Arm(10.0, 0.1, 9.0, 4), Arm(12.0, 0.1, 9.0, 4)
    found = comparison(kind, "latency", "ms", *sides, margin=1.0, half=0.1, reason=f"it is {kind.value}")
    test = replace(one_test([latency(10.0)]), nodeid="t.py::test_it[x-8-base]", comparisons=(found,))
    return past(1, kind=RunKind.AB, tests=[test], simulated=True), log


def _run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def test_the_commit_is_printed_with_its_table_and_where_everything_is(commits, capsys):
    top = commits("good1 good2 bad1 bad2")
    assert _run("bisect", "main~3", "main", *BUILD) == 0
    said = capsys.readouterr()
    assert said.out.startswith("first bad commit: ")
    assert " 2: bad1\n" in said.out
    assert "SIMULATED" in said.out
    assert "REGRESSED" in said.out
    assert f"images, logs and records: {top}/.hil/bisect/" in said.out
    assert "good: " in said.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("good1 good2", 2, "nothing to find: "),
        ("good1 open1", 3, "not searched: it can't be told whether "),
        ("good1 open1 bad1", 3, "the first bad commit is one of 2"),
    ],
)
def test_what_is_not_found_is_said_and_ends_with_its_code(commits, capsys, words, code, said):
    commits(words)
    assert _run("bisect", f"main~{len(words.split()) - 1}", "main", *BUILD) == code
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("main~1", "main", "--image", "a.elf"), "no build command was given"),
        (("main~1", "main", "--", "make"), "give --image PATH, or --board NAME"),
        (("main~1", "main", "--quantity", "latncy", *BUILD), "--quantity latncy is no quantity"),
        (("main~1", "old", *BUILD), "old is no commit"),
        (("main", "main~1", *BUILD), "is no ancestor of bad"),
        (("main~1", "main", "--board", "nrf52840", "--", "make"), "is not in the checkout"),
        (("main~1", "main", "--blocks", "1", *BUILD), "--blocks"),
    ],
)
def test_what_can_not_be_searched_is_refused_and_leaves_nothing(commits, capsys, arguments, said):
    top = commits("good1 bad1")
    assert _run("bisect", *arguments) == 2
    assert said in capsys.readouterr().err
    assert not (top / ".hil").exists()


def test_a_folder_that_can_not_be_made_is_bad_input(commits, capsys):
    top = commits("good1 bad1")
    (top / "taken").write_text("")
    output = ("--hil-output", "taken")
    assert _run("bisect", "main~1", "main", *output, *BUILD) == 2
    said = capsys.readouterr().err
    assert f"making {top}/taken/bisect/" in said
    assert "choose another folder with --hil-output DIR" in said


def test_a_step_ends_as_git_bisect_run_wants_it(commits, capsys, tmp_path):
    commits("good1 bad1")
    good = tmp_path / "good.elf"
    good.write_text("good1")
    step = ("bisect-step", "--good", str(good))
    assert _run(*step, *BUILD) == 1
    assert "bad: " in capsys.readouterr().err
    assert _run(*step, "--image", "a.elf", "--", "cp", "nothing", "a.elf") == 125
    for text, code in (("good1", 0), ("good2", 0), ("open1", 125)):
        Path("made.elf").write_text(text)
        assert _run(*step, "--image", "made.elf") == code
    assert _run(*step, "--image", "missing.elf") == 125


@pytest.mark.parametrize(
    "arguments",
    [
        ("bisect-step", "--bord", "nrf52840"),
        ("bisect-step", "--good", "missing.elf", "--image", "a.elf"),
        ("bisect-step", "--good", "source.txt"),
        ("--debug", "bisect-step", "--good", "missing.elf", "--image", "a.elf"),
    ],
)
def test_a_step_that_is_called_wrongly_ends_the_search_and_makes_no_commit_bad(commits, arguments):
    commits("good1")
    assert _run(*arguments) == 128
