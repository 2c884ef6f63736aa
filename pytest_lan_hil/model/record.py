"""The run record: everything one run found out, as plain values (`publish` gives it a JSON schema)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from pytest_lan_hil.model.comparison import Comparison
from pytest_lan_hil.model.measurement import Measurement, Outcome, Verdict

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """One line from (or to) the DUT's console.

    `time_s` is on the console's clock; `direction` is "<" for received, ">" for sent, "#" for a
    remark of the harness ("flashing lan.elf").
    """

    time_s: float
    direction: str
    text: str


@dataclass(frozen=True, slots=True)
class FirmwareIdentity:
    """Which image was under test, and how that was proved.

    Attributes:
        image: Path as the board or marker named it.
        sha256: Of the image file.
        flash_sha256: Of the loadable bytes, as read back from the DUT's flash ("" if never proved).
        build: Build identity that the console reported, "" if it reports none.
        proved: True if flash (and console, where it can) agree with the image.
    """

    image: str
    sha256: str
    flash_sha256: str = ""
    build: str = ""
    proved: bool = False


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """One device on the bench: role ("probe", "console", "analyzer", "edges"), URI, what it says it is."""

    role: str
    uri: str
    description: str
    simulated: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Confusion:
    """What the DUT named the recordings of a dataset.

    Attributes:
        dataset: Its folder.
        sha256: Over names and contents of its files.
        labels: The DUT's, in the order of its classes.
        counts: A row for each of them: how many recordings with this label the DUT gave each of the labels.
    """

    dataset: str
    sha256: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class TestRecord:
    """One test of the run.

    `measurements` maps quantity to measurement. `console` is filled (last 200 lines) unless the test passed.
    `waveform` is the file name of the saved capture envelope beside the record, or "".
    `confusion` is there if labelled recordings were played to the DUT.
    `comparisons` are with a baseline (`no_regression`, `--hil-compare`), or of the two images of `--hil-ab`.
    A test that `--hil-until-decided` repeats has a record for each repeat, in order.
    """

    __test__: ClassVar[bool] = False  # or pytest takes it for a class of tests, by its name

    nodeid: str
    outcome: Outcome
    message: str = ""
    measurements: dict[str, Measurement] | None = None
    verdicts: tuple[Verdict, ...] = ()
    firmware: FirmwareIdentity | None = None
    console: tuple[ConsoleLine, ...] = ()
    waveform: str = ""
    confusion: Confusion | None = None
    comparisons: tuple[Comparison, ...] = ()


class RunKind(str, Enum):
    """What a run is good for: only a plain one enters trends and baselines."""

    PLAIN = "run"
    AB = "ab"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One pytest session on one bench with one board.

    Attributes:
        run_id: Sortable and unique: UTC time and random suffix.
        started_at, finished_at: ISO 8601, UTC.
        board, bench: Names.
        simulated: True if any device is.
        job: Pushgateway job.
        git_commit, git_branch, git_dirty: Of the project under test ("", "" and False when there is none, the
            branch also "" for a detached head).
        kind: Plain, or two images side by side.
        devices: What was on the bench.
        tests: In order.
        measurements: Quantity to measurement, pooled over the tests that judged it.
        outcome: Of the run: interrupted, else failed, else blocked, else passed.
        versions: Package versions that matter.
    """

    run_id: str
    started_at: str
    finished_at: str
    board: str
    bench: str
    simulated: bool
    job: str
    outcome: Outcome
    git_commit: str = ""
    git_dirty: bool = False
    devices: tuple[DeviceIdentity, ...] = ()
    tests: tuple[TestRecord, ...] = ()
    measurements: dict[str, Measurement] | None = None
    versions: dict[str, str] | None = None
    schema_version: int = SCHEMA_VERSION
    git_branch: str = ""
    kind: RunKind = RunKind.PLAIN

    @property
    def replayed(self) -> bool:
        """True if a recorded capture was judged, not a board."""
        return any(device.uri.startswith("replay:") for device in self.devices)
