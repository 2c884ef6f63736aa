"""The branch that a run is filed under: the checkout's own, or what the CI says of a detached one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_lan_hil.run.project import _CI_BRANCHES, git_branch


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in _CI_BRANCHES:
        monkeypatch.delenv(name, raising=False)
    git(tmp_path, "init", "-b", "topic/faster")
    return tmp_path


def test_a_branch_is_told_before_and_after_its_first_commit(checkout: Path) -> None:
    assert git_branch(checkout) == "topic/faster"
    git(checkout, "commit", "--allow-empty", "-m", "first")
    (checkout / "below").mkdir()
    assert git_branch(checkout / "below") == "topic/faster"


def test_a_detached_head_is_on_the_branch_that_the_ci_names(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(checkout, "commit", "--allow-empty", "-m", "first")
    git(checkout, "checkout", "--detach")
    assert git_branch(checkout) == ""
    monkeypatch.setenv("CI_COMMIT_REF_NAME", "main")
    assert git_branch(checkout) == "main"
    monkeypatch.setenv("GITHUB_REF_NAME", "7/merge")
    monkeypatch.setenv("GITHUB_HEAD_REF", "topic/faster")
    assert git_branch(checkout) == "topic/faster", "of a pull request, the branch that it comes from"


def test_a_checkout_on_a_branch_does_not_ask_the_ci(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REF_NAME", "main")
    assert git_branch(checkout) == "topic/faster"


def test_without_a_checkout_there_is_no_branch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REF_NAME", "main")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_branch(tmp_path) == ""
    monkeypatch.setenv("PATH", "")
    assert git_branch(tmp_path) == ""
