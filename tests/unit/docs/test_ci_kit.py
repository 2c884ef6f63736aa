"""Workflows, action and the examples for other CI systems are what their systems accept."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import tree_sitter_groovy
from tree_sitter import Language, Node, Parser

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.yml"))
GITLAB = ROOT / "docs" / "how-to" / "ci" / "gitlab-ci.yml"
JENKINS = ROOT / "docs" / "how-to" / "ci" / "Jenkinsfile"
PAGE = ROOT / "docs" / "how-to" / "run-in-ci.md"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


def schema_check(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    return run(Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", schema, *files)


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.github-actions", ACTIONS),
        ("vendor.gitlab-ci", [GITLAB]),
    ],
)
def test_files_keep_the_schema_of_their_system(schema: str, files: list[Path]) -> None:
    assert files
    done = schema_check(schema, *files)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_check_finds_a_misspelt_key(tmp_path: Path) -> None:
    broken = tmp_path / "hil.yml"
    broken.write_text(WORKFLOWS[0].read_text("utf-8").replace("runs-on", "run-on"))
    assert schema_check("vendor.github-workflows", broken).returncode != 0


def test_workflows_and_action_have_no_known_weakness() -> None:
    done = run(Path(sys.executable).parent / "zizmor", "--offline", "--no-progress", ROOT / ".github")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_on_the_page_keeps_the_schema(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    shown = tmp_path / "shown.yml"
    indented = "\n".join(line[3:] if line.startswith("   ") else line for line in block.splitlines())
    shown.write_text(f"on: push\n{indented}\n")
    done = schema_check("vendor.github-workflows", shown)
    assert done.returncode == 0, done.stdout + done.stderr


def syntax_errors(groovy: bytes) -> list[str]:
    tree = Parser(Language(tree_sitter_groovy.language())).parse(groovy)

    def walk(node: Node) -> list[str]:
        found = [f"line {node.start_point[0] + 1}"] if node.is_error or node.is_missing else []
        return found + [error for child in node.children for error in walk(child)]

    return walk(tree.root_node)


def test_the_jenkinsfile_is_groovy() -> None:
    text = JENKINS.read_bytes()
    assert syntax_errors(text) == []
    assert syntax_errors(text.replace(b"matrix {", b"matrix ")) != []


def test_every_bench_job_is_alone_on_its_bench_and_closed_to_forks() -> None:
    hil = (ROOT / ".github" / "workflows" / "hil.yml").read_text("utf-8")
    assert "head.repo.full_name == github.repository" in hil
    assert re.search(
        r"concurrency:\n\s+group: hil-bench-\$\{\{ matrix.board \}\}\n\s+cancel-in-progress: false", hil
    )
    gitlab = GITLAB.read_text("utf-8")
    assert "resource_group: hil-$BOARD" in gitlab
    assert "CI_MERGE_REQUEST_SOURCE_PROJECT_ID != $CI_PROJECT_ID" in gitlab
    assert 'lock("hil-bench-${BOARD}")' in JENKINS.read_text("utf-8")
