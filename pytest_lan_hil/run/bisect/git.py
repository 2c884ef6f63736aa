"""Commits, a working tree of our own, and `git bisect` in it. The user's checkout is only read.

What `git bisect` notes (refs/bisect/, BISECT_LOG) belongs to the working tree that it runs in, and goes with
it: https://git-scm.com/docs/git-worktree#_refs. Exit code 2 of a mark: only skipped commits are left.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.run.bisect.process import environment

_ONLY_SKIPPED_LEFT = 2


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: its full hash, and the first line of its message."""

    sha: str
    subject: str

    def __str__(self) -> str:
        return f"{self.sha[:12]} {self.subject}"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout of the user's: its top folder, with links resolved."""

    top: Path

    @classmethod
    def around(cls, folder: Path) -> Checkout:
        """The checkout that `folder` is in.

        Raises:
            InputError: There is none, or git is not installed.
        """
        return cls(Path(_git(folder, "rev-parse", "--show-toplevel").strip()).resolve())

    def commit(self, ref: str) -> Commit:
        """The commit that a name stands for.

        Raises:
            InputError: It stands for none.
        """
        try:
            sha = _git(self.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        except InputError:
            raise InputError(
                f"{ref} is no commit of {self.top}", fix="name a commit, branch or tag: git log --oneline"
            ) from None
        return _described(self.top, sha.strip())

    def require_ancestor(self, good: Commit, bad: Commit) -> None:
        """Make sure that one commit came before the other.

        Raises:
            InputError: It did not.
        """
        arguments = ("merge-base", "--is-ancestor", good.sha, bad.sha)
        if good.sha == bad.sha or _run(self.top, *arguments).returncode != 0:
            base = _run(self.top, "merge-base", good.sha, bad.sha).stdout.strip()
            hint = f"; both come from {base[:12]}" if base and base not in (good.sha, bad.sha) else ""
            raise InputError(
                f"good {good} is no ancestor of bad {bad}{hint}",
                fix="give the older, good commit first, and one that the bad one was made from",
            )

    @contextmanager
    def worktree(self, commit: Commit) -> Iterator[Worktree]:
        """A working tree of our own, outside of the checkout, at a commit; gone when the block ends.

        Raises:
            InputError: git can't make it.
        """
        with tempfile.TemporaryDirectory(prefix="lan-hil-bisect-", ignore_cleanup_errors=True) as folder:
            top = Path(folder).resolve() / self.top.name
            try:
                _git(self.top, "worktree", "add", "--detach", "--force", str(top), commit.sha)
                yield Worktree(top)
            finally:
                _run(self.top, "worktree", "remove", "--force", "--force", str(top))


@dataclass(frozen=True, slots=True)
class Worktree:
    """A working tree of our own: its top folder."""

    top: Path

    def check_out(self, commit: Commit) -> None:
        """Bring it to a commit, with nothing left of what was built before.

        Raises:
            InputError: git can't.
        """
        self.clean()
        _git(self.top, "checkout", "--quiet", "--detach", "--force", commit.sha)

    def clean(self) -> None:
        """Throw away whatever is not of the commit: each commit is built as a fresh clone would be."""
        _git(self.top, "reset", "--hard", "--quiet")
        _git(self.top, "clean", "-ffdxq")


class Bisection:
    """`git bisect` in a working tree of our own."""

    def __init__(self, tree: Worktree, good: Commit, bad: Commit) -> None:
        """Begin.

        Raises:
            InputError: git can't.
        """
        self._tree = tree
        self._only_skipped_left = False
        tree.clean()
        self._mark("start", bad.sha, good.sha)

    @property
    def here(self) -> Commit | None:
        """The commit to judge next; None when there is no more to find out."""
        if self._only_skipped_left or len(self.suspects) == 1:
            return None
        return _described(self._tree.top, _git(self._tree.top, "rev-parse", "HEAD").strip())

    @property
    def suspects(self) -> list[Commit]:
        """Every commit that may be the first bad one, the newest first."""
        good = _git(self._tree.top, "for-each-ref", "--format=%(objectname)", "refs/bisect/good-*").split()
        form = ("--topo-order", "--format=%H %s")
        lines = _git(self._tree.top, "log", *form, "refs/bisect/bad", "--not", *good).splitlines()
        return [Commit(sha, subject) for sha, _, subject in (line.partition(" ") for line in lines)]

    def mark(self, word: str) -> None:
        """Note what the commit is ("good", "bad", "skip"), and go to the next.

        Raises:
            InputError: git can't.
        """
        self._tree.clean()
        self._mark(word)

    @property
    def log(self) -> str:
        """What was found so far: `git bisect replay` takes it."""
        return _git(self._tree.top, "bisect", "log")

    def _mark(self, *arguments: str) -> None:
        done = _run(self._tree.top, "bisect", *arguments)
        if done.returncode == _ONLY_SKIPPED_LEFT:
            self._only_skipped_left = True
        elif done.returncode != 0:
            raise _refused(self._tree.top, ("bisect", *arguments), done)


def _described(folder: Path, sha: str) -> Commit:
    return Commit(sha, _git(folder, "show", "--no-patch", "--format=%s", sha).strip())


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env={**environment(), "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise InputError(f"git can't be run: {error.strerror}", fix="install git") from None


def _git(folder: Path, *arguments: str) -> str:
    """What git says; a failure is an error."""
    done = _run(folder, *arguments)
    if done.returncode != 0:
        raise _refused(folder, arguments, done)
    return done.stdout


def _refused(folder: Path, arguments: tuple[str, ...], done: subprocess.CompletedProcess[str]) -> InputError:
    said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
    return InputError(
        f"git {' '.join(arguments)} in {folder}: {said}",
        fix="run it in a git checkout whose commits are there",
    )
