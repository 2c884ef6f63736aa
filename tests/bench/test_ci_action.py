"""The steps of the composite action do on a runner what its page says: run here as the runner would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
ACTION = YAML(typ="safe").load((ROOT / ".github" / "actions" / "hil" / "action.yml").read_text("utf-8"))


def step(name: str, runner: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run one `run:` step with its environment as GitHub would fill it in."""
    (found,) = [one for one in ACTION["runs"]["steps"] if one["name"] == name]
    values = {key: spec.get("default", "") for key, spec in ACTION["inputs"].items()} | inputs
    environment = dict(os.environ)
    for key, expression in found["env"].items():
        source = expression.removeprefix("${{ ").removesuffix(" }}")
        kind, _, rest = source.partition(".")
        environment[key] = values[rest] if kind == "inputs" else outputs(runner)[rest.rpartition(".")[2]]
    environment |= {
        "RUNNER_TEMP": str(runner),
        "GITHUB_OUTPUT": str(runner / "output.txt"),
        "GITHUB_REPOSITORY": "team/firmware",
        "HOME": str(runner / "home"),
    }
    # As GitHub runs `shell: bash`.
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", found["run"]]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def outputs(runner: Path) -> dict[str, str]:
    lines = (runner / "output.txt").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """A runner's folder, whose virtual environment is this one."""
    programs = tmp_path / "hil-venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "pytest").symlink_to(Path(sys.executable).parent / "pytest")
    (tmp_path / "home").mkdir()
    return tmp_path


def test_a_job_measures_and_keeps_its_own_reports_only(runner: Path) -> None:
    kept = runner / "home" / ".local" / "state" / "lan-hil" / "team" / "firmware"
    old = kept / "runs" / "20200101T000000-nrf52840-aaaaaa"
    old.mkdir(parents=True)
    os.utime(old, (0, 0))

    measured = step(
        "Measure and judge",
        runner,
        board="nrf52840",
        tests="tests/hil/test_targets.py::test_inference_latency tests/hil/test_console.py",
    )
    assert measured.returncode == 0, measured.stdout + measured.stderr
    assert outputs(runner) == {"output": str(kept)}

    collected = step("Collect the reports of this job", runner, board="nrf52840")
    assert collected.returncode == 0, collected.stderr
    report = runner / "hil-report"
    assert "hil_latency_value" in (report / "junit.xml").read_text("utf-8")
    (run,) = [path for path in report.iterdir() if path.is_dir()]
    assert (run / "record.json").is_file()
    assert run.name != old.name


def test_a_job_fails_with_its_tests_and_still_collects(runner: Path) -> None:
    test = runner / "test_strict.py"
    test.write_text("import pytest\n@pytest.mark.memory_budget(1)\ndef test_memory(dut):\n    dut.infer(1)\n")
    failed = step("Measure and judge", runner, board="nrf52840", bench="virtual", tests=str(test))
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert step("Collect the reports of this job", runner, board="nrf52840").returncode == 0
    assert (runner / "hil-report" / "junit.xml").is_file()
