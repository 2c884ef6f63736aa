"""Two runs, or groups of runs, beside each other: what was measured, what grew, what got slower.

Whatever has a name in the ledger can stand on either side, and files of records and baselines too. What grew
and what got slower is known where the runs left it: `publish.images`, and `profile.json` of
`pytest --hil-profile`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_lan_hil.dut.growth import Growth
from pytest_lan_hil.dut.growth import compare as compare_footprints
from pytest_lan_hil.measure.profiles import ProfileChange, compare_profiles
from pytest_lan_hil.model.comparison import Baseline, Comparison, Repeatability, Subject
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.history import PastRun
from pytest_lan_hil.model.profile import Counted, Profile
from pytest_lan_hil.model.quantities import Margin
from pytest_lan_hil.publish.files import run_directory
from pytest_lan_hil.publish.images import ImageFacts, read_image
from pytest_lan_hil.publish.ledger import Ledger, RunFilter
from pytest_lan_hil.publish.profile_file import read_profile
from pytest_lan_hil.run.baseline_runs import (
    Measured,
    finished,
    from_file,
    is_file,
    measured,
    named_runs,
    repeatability,
)
from pytest_lan_hil.run.baselines import Setup, changed_rows, compare_rows

_PROFILED = 20  # so many newest runs of a firmware are looked through for a profile


@dataclass(frozen=True, slots=True)
class Side:
    """One side.

    Attributes:
        measured: What was measured.
        firmware_sha256: Of its image; "" where none was proved.
        profile: Of one of its runs, or of another run of the same image; None if none has one.
        image: What is known of the image; None where nothing was kept.
    """

    measured: Measured
    firmware_sha256: str
    profile: Profile | None
    image: ImageFacts | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed from `base` to `head`.

    Attributes:
        setup: Of both.
        base, head: The sides.
        comparisons: By test and quantity.
        objects: Memory by object file, what grew most first; None if a side's image is not known.
        functions: Bytes of each function, what grew most first: (name, before, after); None as for `objects`.
        profile: Time by function, what got slower most first; None if a side has no profile.
        notes: Sentences: what was left out, and how to get what is missing.
    """

    setup: Setup
    base: Side
    head: Side
    comparisons: tuple[Comparison, ...]
    objects: tuple[Growth, ...] | None
    functions: tuple[tuple[str, int, int], ...] | None
    profile: ProfileChange | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Only:
    """Runs of these alone: board and bench, "" for any."""

    board: str = ""
    bench: str = ""


def changes(
    base_name: str,
    head_name: str,
    ledger: Ledger | None,
    output: Path,
    only: Only,
    margins: Callable[[str], Mapping[str, Margin]],
) -> Changes:
    """Compare what two names stand for.

    Args:
        base_name, head_name: Run id or its beginning, tag, branch, commit, "latest"; or a file.
        ledger: Of the project; None where it has none, then both must be files.
        output: Folder of run records.
        only: Where names stand for runs of several boards or benches.
        margins: Margins of a board by its name.

    Raises:
        InputError: A name stands for nothing; the sides are of different boards or benches, or one is real
            and the other simulated.
    """
    setup = _common(base_name, head_name, ledger, only)
    notes: list[str] = []
    base, head = (_side(name, ledger, output, setup, notes) for name in (base_name, head_name))
    if base.firmware_sha256 == head.firmware_sha256 != "":
        notes.append(f"both sides are of the same firmware, {base.firmware_sha256[:10]}")
    old, new = base.measured.baseline, head.measured.baseline
    odd = changed_rows(old, new)
    for subject in odd:
        means = " and ".join(
            f"{row.statistic} in {row.unit} by {row.instrument}"
            for row in (old.rows[subject], new.rows[subject])
        )
        notes.append(f"{subject.quantity} of {subject.test} is left out: it was not measured alike ({means})")
    noise: Mapping[Subject, Repeatability] = {}
    if ledger is not None:
        noise = repeatability(ledger, setup, base.measured.firmwares | head.measured.firmwares)
    subjects = (old.rows.keys() | new.rows.keys()) - set(odd)
    objects = functions = None
    if base.image is not None and head.image is not None:
        objects = compare_footprints(base.image.footprint, head.image.footprint)
        functions = _sizes(base.image.functions, head.image.functions)
    return Changes(
        setup=setup,
        base=base,
        head=head,
        comparisons=compare_rows(old, new, subjects, margins(setup.board), noise),
        objects=objects,
        functions=functions,
        profile=_profiles(base, head, notes),
        notes=tuple(dict.fromkeys([*notes, *_missing(base, head, setup)])),
    )


# Who is compared ------------------------------------------------------------------------------------------


def _common(base: str, head: str, ledger: Ledger | None, only: Only) -> Setup:
    """The set-up that both names have runs of; of several the one of the newest run.

    Raises:
        InputError: There is none; both are told.
    """
    of_base, of_head = (_setups(name, ledger, only) for name in (base, head))
    for setup in reversed(of_head):
        if setup in of_base:
            return setup
    if (
        ledger is not None
    ):  # a branch stands for the set-up that it ran on last; it may have run on this one too
        for mine, other in ((of_head, base), (of_base, head)):
            for setup in reversed(mine):
                if not is_file(Path(other)) and _has_runs(ledger, other, setup):
                    return setup
    raise InputError(
        f"{base} is of {_told(of_base)}, {head} is of {_told(of_head)}: these are never compared",
        fix="name runs of one board on one bench, both real or both simulated",
    )


def _told(setups: Iterable[Setup]) -> str:
    return " and ".join(map(str, setups))


def _setups(name: str, ledger: Ledger | None, only: Only) -> list[Setup]:
    """Oldest first, each once."""
    path = Path(name).expanduser()
    if is_file(path):
        return [Setup.of(from_file(path).baseline)]
    if ledger is None:
        raise InputError(
            f"{name} is no file, and no run is recorded here that could have this name",
            fix="run `pytest --board NAME` first, or name the folder of run records with --hil-output DIR",
        )
    runs = ledger.resolve(name, RunFilter(board=only.board, bench=only.bench))
    if not finished(runs):
        raise InputError(
            f"{name}: run {runs[-1].run_id} was interrupted", fix="name one that went to its end"
        )
    newest_first = dict.fromkeys(Setup.of(run) for run in reversed(finished(runs)))
    return list(reversed(newest_first))


def _has_runs(ledger: Ledger, name: str, setup: Setup) -> bool:
    try:
        return bool(named_runs(ledger, name, setup))
    except InputError:
        return False


def _side(name: str, ledger: Ledger | None, output: Path, setup: Setup, notes: list[str]) -> Side:
    path = Path(name).expanduser()
    outputs = [output]
    if is_file(path):
        found = from_file(path)
        folder = path if path.is_dir() else path.parent
        outputs.insert(0, folder.resolve().parent.parent)  # <output>/runs/<run id>
    elif ledger is None:
        raise AssertionError("names were looked up before")
    else:
        runs = named_runs(ledger, name, setup)
        try:
            found = measured(ledger, setup, runs, f"ledger: {name}")
        except InputError as error:
            notes.append(error.problem)
            nothing = Baseline(setup.board, setup.bench, setup.simulated, {}, (), f"ledger: {name}")
            found = Measured(nothing, runs)
    notes += found.notes
    firmware = _firmware(found)
    profile = _profile(found, ledger, setup, firmware, outputs, notes)
    image = next(filter(None, (read_image(one, firmware) for one in outputs)), None)
    return Side(replace(found, notes=()), firmware, profile, image)


def _firmware(found: Measured) -> str:
    """Of the newest run, or of the newest entry of a baseline's log."""
    newest = [run.firmware_sha256 for run in found.runs]
    newest += [event.firmware_sha256 for event in found.baseline.events]
    return newest[-1] if newest else ""


def _profile(
    found: Measured,
    ledger: Ledger | None,
    setup: Setup,
    firmware: str,
    outputs: list[Path],
    notes: list[str],
) -> Profile | None:
    """The newest profile of this image: of these runs, or of another of this set-up."""
    runs: list[PastRun] = [run for run in reversed(found.runs) if run.firmware_sha256 == firmware]
    if ledger is not None and firmware:
        more = RunFilter(
            board=setup.board,
            bench=setup.bench,
            simulated=setup.simulated,
            firmware_sha256=firmware,
            newest=_PROFILED,
        )
        runs += reversed(ledger.runs(more))
    for run in dict.fromkeys(run.run_id for run in runs):
        for output in outputs:
            try:
                profile = read_profile(run_directory(output, run))
            except InputError as error:
                notes.append(error.problem)
                continue
            if profile is not None and profile.firmware_sha256 == firmware:
                return profile
    return None


# What changed ---------------------------------------------------------------------------------------------


def _sizes(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[tuple[str, int, int], ...]:
    rows = [(name, before.get(name, 0), after.get(name, 0)) for name in before.keys() | after.keys()]
    return tuple(sorted(rows, key=lambda row: (row[1] - row[2], row[0])))


def _profiles(base: Side, head: Side, notes: list[str]) -> ProfileChange | None:
    if base.profile is None or head.profile is None:
        return None
    kinds: set[Counted] = {base.profile.counted, head.profile.counted}
    if len(kinds) > 1:
        notes.append("one profile counted cycles, the other sampled the program counter: profile both anew")
        return None
    return compare_profiles(base.profile, head.profile)


def _missing(base: Side, head: Side, setup: Setup) -> list[str]:
    """How to get what a side lacks."""
    told = []
    lacking = [name for name, side in (("base", base), ("head", head)) if side.profile is None]
    if lacking:
        told.append(
            f"no profile of {' and '.join(lacking)}, so it is not known which function takes how long:"
            f" pytest {setup.options} --hil-profile"
        )
    for name, side in (("base", base), ("head", head)):
        if side.image is None:
            which = side.firmware_sha256[:10] or "(none was proved)"
            told.append(
                f"memory by object file is not known of {name}: nothing was kept of its image {which};"
                " it is, of every ELF that is tested from now on"
            )
    return told
