"""The search for a commit: in real git repositories, with made-up sessions in place of a board."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from past_runs import latency, one_test, past
from publish_samples import comparison as made_up
from required import binary

from pytest_lan_hil.model.errors import BlockedError, InputError
from pytest_lan_hil.model.measurement import Outcome, VerdictKind
from pytest_lan_hil.model.record import RunKind
from pytest_lan_hil.run.bisect.building import BuildFailed, Recipe
from pytest_lan_hil.run.bisect.git import Checkout
from pytest_lan_hil.run.bisect.process import run_logged
from pytest_lan_hil.run.bisect.search import Search
from pytest_lan_hil.run.bisect.verdict import Found, Word, found_in

COPY = (sys.executable, "-c", "import shutil; shutil.copy('source.txt', 'image.elf')")


def comparison(quantity, kind):
    return made_up(
        kind, quantity, "ms", None, None, margin=1.0, half=0.1, reason=f"{quantity} is {kind.value}"
    )


def step_test(side="base", number=8, outcome=Outcome.PASSED, comparisons=(), message=""):
    test = one_test([latency(10.0)], judged=False)
    nodeid = f"t.py::test_it[nrf52840-{number}-{side}]"
    return replace(test, nodeid=nodeid, outcome=outcome, comparisons=tuple(comparisons), message=message)


def session(*tests):
    return past(1, kind=RunKind.AB, tests=tests)


# --- what a session says --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "word"),
    [
        ((VerdictKind.WITHIN, VerdictKind.IMPROVED), Word.GOOD),
        ((VerdictKind.WITHIN, VerdictKind.INCONCLUSIVE), Word.SKIP),
        ((VerdictKind.INCONCLUSIVE, VerdictKind.REGRESSED), Word.BAD),
    ],
)
def test_one_regression_is_bad_and_only_what_holds_is_good(kinds, word):
    record = session(step_test(comparisons=[comparison("latency", kind) for kind in kinds]))
    assert found_in(record).word is word


def test_only_the_quantities_that_were_asked_for_count():
    found = [comparison("latency", VerdictKind.REGRESSED), comparison("power", VerdictKind.WITHIN)]
    record = session(step_test(comparisons=found))
    assert found_in(record, {"power"}).word is Word.GOOD
    assert found_in(record, {"latency"}).word is Word.BAD
    with pytest.raises(InputError, match="no test compared energy; compared were latency, power"):
        found_in(record, {"energy"})


def test_a_head_that_fails_its_tests_says_nothing_of_its_speed():
    open_one = comparison("latency", VerdictKind.INCONCLUSIVE)
    failing = step_test("head", 2, Outcome.FAILED, message="no answer")
    found = found_in(session(failing, step_test(comparisons=[open_one])))
    assert found == Found(Word.SKIP, "t.py::test_it[nrf52840-2-head] failed: no answer")


def test_a_good_image_that_fails_and_a_bench_that_is_broken_end_the_search():
    with pytest.raises(InputError, match="failed with the good image, which is to pass: crash"):
        found_in(session(step_test("base", 1, Outcome.FAILED, message="crash")))
    with pytest.raises(BlockedError, match="was blocked with the good image: no probe"):
        found_in(session(step_test("base", 1, Outcome.BLOCKED, message="no probe")))


# --- git ------------------------------------------------------------------------------------------------


class Repository:
    """A repository whose commits have the given content in `source.txt`."""

    def __init__(self, top: Path, contents: str) -> None:
        self.git_path = binary("git", "git")
        self.top = top
        top.mkdir()
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commits = [self.commit(number, content) for number, content in enumerate(contents.split())]

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=n", "-c", "user.email=e@e.invalid", "-c", "commit.gpgsign=false")
        command = [self.git_path, "-C", str(self.top), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, number: int, content: str) -> str:
        (self.top / "source.txt").write_text(content)
        (self.top / "number.txt").write_text(str(number))
        self.git("add", "source.txt", "number.txt")
        self.git("commit", "--quiet", "--message", f"commit {number}")
        return self.git("rev-parse", "HEAD")

    def state(self) -> tuple[str, ...]:
        return (
            self.git("rev-parse", "HEAD"),
            self.git("status", "--porcelain"),
            self.git("for-each-ref"),
            self.git("worktree", "list"),
            str(sorted(path.name for path in (self.top / ".git").glob("BISECT*"))),
        )


class Sessions:
    """Stands for the board: an image's text says what comes of it."""

    def __init__(self) -> None:
        self.compared: list[str] = []

    def compare(self, base, head, log):
        text = head.read_text().rstrip("0123456789")
        self.compared.append(head.read_text())
        if text == "probe":
            return session(step_test("base", 1, Outcome.BLOCKED, message="no probe")), log
        if text == "interrupt":
            raise KeyboardInterrupt
        kinds = {"good": VerdictKind.WITHIN, "bad": VerdictKind.REGRESSED, "open": VerdictKind.INCONCLUSIVE}
        return session(step_test(comparisons=[comparison("latency", kinds[text])])), log


def search(repository, tmp_path, sessions=None, command=COPY):
    top = repository.top
    recipe = Recipe.at(command, here=top, image=Path("image.elf"), top=top)
    said: list[str] = []
    folder = tmp_path / "kept"
    folder.mkdir(exist_ok=True)
    return Search(Checkout.around(top), recipe, sessions or Sessions(), folder, (), said.append)


def run(made, first, last):
    return made.run(made.checkout.commit(first), made.checkout.commit(last))


@pytest.fixture
def repository(request, tmp_path):
    made = Repository(tmp_path / "project", request.param)
    before = made.state()
    yield made
    assert made.state() == before


ON = pytest.mark.parametrize


@ON("repository", ["good1 good2 good3 bad1 bad2", "good1 bad1 bad2 bad3", "good1 bad1"], indirect=True)
def test_the_first_bad_commit_is_found(repository, tmp_path):
    made = search(repository, tmp_path)
    result = run(made, repository.commits[0], "main")
    first = next(
        number for number, sha in enumerate(repository.commits) if "bad" in _content(repository, sha)
    )
    assert [one.sha for one in result.suspects] == [repository.commits[first]]
    assert result.step is not None
    assert result.step.commit.subject == f"commit {first}"
    kept = made.folder / repository.commits[first][:12] / "image.elf"
    assert kept.read_text() == "bad1"
    assert "# first bad commit" in (made.folder / "bisect.log").read_text()


def _content(repository: Repository, sha: str) -> str:
    return repository.git("show", f"{sha}:source.txt")


@ON("repository", ["good1 open1 broken bad1 bad2"], indirect=True)
def test_commits_that_can_not_be_built_or_decided_are_skipped_and_leave_a_range(repository, tmp_path):
    build = "import sys; t = open('source.txt').read(); t == 'broken' and sys.exit('no such symbol');"
    command = (sys.executable, "-c", f"{build} open('image.elf', 'w').write(t)")
    made = search(repository, tmp_path, command=command)
    result = run(made, repository.commits[0], "main")
    assert result.step is None
    assert [one.subject for one in result.suspects] == ["commit 3", "commit 2", "commit 1"]
    reasons = {step.commit.subject: step.found for step in made.steps}
    assert reasons["commit 2"].word is Word.SKIP
    assert "no such symbol" in reasons["commit 2"].reason
    assert reasons["commit 1"].word is Word.SKIP


@ON("repository", ["good1 good1 bad1 bad1 bad1"], indirect=True)
def test_an_image_that_was_compared_before_is_not_compared_again(repository, tmp_path):
    sessions = Sessions()
    result = run(search(repository, tmp_path, sessions), repository.commits[0], "main")
    assert sessions.compared == ["bad1"]
    assert result.step is not None
    assert result.step.commit.sha == repository.commits[2]
    assert result.step.like is not None
    assert result.step.like.sha == repository.commits[4]


@ON("repository", ["good1 good2", "good1 open1", "good1 bad1 good1"], indirect=True)
def test_nothing_is_searched_unless_bad_is_proved_to_be_worse(repository, tmp_path):
    result = run(search(repository, tmp_path), repository.commits[0], "main")
    assert result.proof.found.word is not Word.BAD
    assert result.suspects == ()


@ON("repository", ["good1 good2 probe1 bad1 bad2"], indirect=True)
def test_a_bench_that_breaks_ends_the_search_and_tells_how_far_it_came(repository, tmp_path):
    made = search(repository, tmp_path)
    with pytest.raises(BlockedError, match="no probe"):
        run(made, repository.commits[0], "main")
    said: list[str] = made.say.__self__  # type: ignore[attr-defined]
    assert said[-1].startswith("so far: ")
    assert (made.folder / "bisect.log").is_file()


@ON("repository", ["good1 interrupt1"], indirect=True)
def test_ctrl_c_leaves_nothing_in_the_checkout(repository, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(search(repository, tmp_path), repository.commits[0], "main")


@ON("repository", ["good1 bad1"], indirect=True)
def test_each_commit_is_built_as_a_fresh_clone_would_be(repository, tmp_path):
    code = "import os, shutil; assert not os.path.exists('image.elf'); shutil.copy('source.txt', 'image.elf')"
    result = run(search(repository, tmp_path, command=(sys.executable, "-c", code)), "main~1", "main")
    assert result.step is not None


@ON("repository", ["good1 bad1"], indirect=True)
def test_what_can_not_be_searched_is_refused(repository, tmp_path):
    made = search(repository, tmp_path)
    with pytest.raises(InputError, match=r"nowhere is no commit"):
        run(made, "nowhere", "main")
    with pytest.raises(InputError, match=r"is no ancestor of bad"):
        run(made, "main", "main~1")
    with pytest.raises(InputError, match=r"good commit .* can't be built: .* made no image\.elf"):
        run(search(repository, tmp_path, command=("true",)), "main~1", "main")
    with pytest.raises(InputError, match="is not in the checkout"):
        Recipe.at(("make",), here=repository.top, image=Path("../image.elf"), top=repository.top)
    with pytest.raises(InputError, match="git checkout"):
        Checkout.around(tmp_path)


def test_a_folder_below_the_top_is_where_the_build_runs(tmp_path):
    repository = Repository(tmp_path / "project", "good1")
    (repository.top / "fw").mkdir()
    code = "import pathlib; pathlib.Path('out').mkdir(); pathlib.Path('out/a.elf').write_text('x')"
    command = (sys.executable, "-c", code)
    recipe = Recipe.at(command, here=repository.top / "fw", image=Path("out/a.elf"), top=repository.top)
    assert recipe.image == Path("fw/out/a.elf")
    assert recipe.build(repository.top, tmp_path / "kept").path.read_text() == "x"
    shutil.rmtree(repository.top / "fw")
    with pytest.raises(BuildFailed, match="can't be run: No such file or directory"):
        recipe.build(repository.top, tmp_path / "kept")


def test_an_interrupted_program_is_given_time_to_clean_up(tmp_path):
    """What holds a bench releases it before we go on."""
    code = (
        "import signal, sys, time; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n    print('on', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt:\n    time.sleep(0.3); print('released')"
    )
    log = tmp_path / "log"

    def interrupt():
        while not log.exists() or "on" not in log.read_text():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    helper = threading.Thread(target=interrupt)
    helper.start()
    with pytest.raises(KeyboardInterrupt):
        run_logged((sys.executable, "-c", code), tmp_path, log)
    helper.join()
    assert log.read_text().splitlines() == ["on", "released"]
