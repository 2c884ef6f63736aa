"""The Rust client, built offline from Debian's crates: its tests, and the same series as the Python one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from required import binary

from pytest_lan_hil.metrics import InferenceMetrics

ROOT = Path(__file__).resolve().parents[2]
CRATE = ROOT / "monitoring" / "clients" / "rust"
PAGE = ROOT / "docs" / "how-to" / "custom-metrics.md"
# Where Debian's librust-*-dev packages put their crates.
CRATES = Path("/usr/share/cargo/registry")


def cargo(folder: Path, *arguments: str) -> list[str]:
    """A cargo command that takes Debian's crates for those of crates.io, and no network."""
    program = binary("cargo", "cargo")
    if not list(CRATES.glob("prometheus-0.13*")):
        if os.environ.get("LAN_HIL_REQUIRE_SERVERS"):
            pytest.fail(f"no crate prometheus in {CRATES}, and LAN_HIL_REQUIRE_SERVERS is set")
        pytest.skip("the crate prometheus is not installed (Debian: apt install librust-prometheus-dev)")
    replace = ["--config", 'source.crates-io.replace-with="debian"']
    debian = ["--config", f'source.debian.directory="{CRATES}"']
    return [program, *replace, *debian, *arguments, "--offline", f"--manifest-path={folder}/Cargo.toml"]


def page_program() -> str:
    """The page's Rust, word for word, in a program that has what it calls."""
    (block,) = PAGE.read_text(encoding="utf-8").split("```rust\n")[1:]
    return f"""
struct Model;
impl Model {{
    fn inference(&self, audio: &[f32]) -> Result<f32, String> {{
        Ok(audio.iter().sum())
    }}
}}
fn get_power_reading() -> f64 {{
    850.0
}}
fn main() -> Result<(), Box<dyn std::error::Error>> {{
    let (model, audio_data, current_accuracy) = (Model, [0.5, 0.25], 95.1);
{block.split("```")[0]}
    assert_eq!(result, 0.75);
    print!("{{}}", metrics.text()?);
    Ok(())
}}
"""


@pytest.fixture(scope="module")
def crate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the crate whose tests have passed and whose example is built."""
    folder = tmp_path_factory.mktemp("rust") / "lan-metrics"
    shutil.copytree(CRATE, folder, ignore=shutil.ignore_patterns("target", "Cargo.lock"))
    (folder / "examples" / "page.rs").write_text(page_program(), encoding="utf-8")
    environment = {
        **os.environ,
        "CARGO_HOME": str(folder.parent / "home"),
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "RUSTFLAGS": "-D warnings",
    }
    for arguments in (("test",), ("build", "--examples")):
        done = subprocess.run(
            cargo(folder, *arguments),
            env=environment, capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        if arguments == ("test",):
            assert "8 passed" in done.stdout
    return folder


@pytest.fixture(scope="module")
def url(crate: Path) -> Iterator[str]:
    """Where the example serves its metrics."""
    command = [crate / "target" / "debug" / "examples" / "serve", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def get(url: str) -> str:
    """The body; never through the proxy of the environment."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as response:
        text: str = response.read().decode("utf-8")
        return text


def python_text() -> str:
    """What the example does, by the Python client."""
    registry = CollectorRegistry()
    metrics = InferenceMetrics("desktop", registry=registry)
    for fails in (False, False, True):
        with contextlib.suppress(ValueError), metrics.track_inference():
            if fails:
                raise ValueError("silence")
    metrics.report(power_mw=850.0, accuracy_percent=95.1)
    return generate_latest(registry).decode("utf-8")


def families(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_rust_and_python_serve_the_same_families_series_and_buckets(url: str) -> None:
    rust, python = families(get(url)), families(python_text())
    assert rust.keys() == python.keys()
    for name, ours in python.items():
        theirs = rust[name]
        assert (theirs.type, theirs.documentation) == (ours.type, ours.documentation)
        series = {(one.name, frozenset(one.labels.items())): one.value for one in ours.samples}
        found = {(one.name, frozenset(one.labels.items())): one.value for one in theirs.samples}
        assert found.keys() == series.keys()
        timed = {key for key in series if key[0].endswith(("_bucket", "_sum"))}
        assert {key: found[key] for key in found.keys() - timed} == pytest.approx(
            {key: series[key] for key in series.keys() - timed}
        )


def test_the_pages_example_counts_what_it_says(crate: Path) -> None:
    program = crate / "target" / "debug" / "examples" / "page"
    done = subprocess.run([program], capture_output=True, text=True, timeout=30, check=True)
    found = {
        (sample.name, sample.labels.get("statistic", "")): sample.value
        for family in families(done.stdout).values()
        for sample in family.samples
    }
    assert found["lan_inference_latency_seconds_count", ""] == 1
    assert found["lan_errors_total", ""] == 0
    assert found["lan_power_watts", "mean"] == pytest.approx(0.85)
    assert found["lan_model_accuracy_ratio", "share"] == pytest.approx(0.951)


def test_promtool_has_nothing_to_say_against_either(url: str) -> None:
    for text in (get(url), python_text()):
        checked = subprocess.run(
            [binary("promtool", "prometheus"), "check", "metrics"],
            input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_any_other_path_is_not_found(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(url.replace("/metrics", "/"))
