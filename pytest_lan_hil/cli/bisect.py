"""`lan-hil bisect` and `lan-hil bisect-step`: which commit made it worse, found on the board."""

from __future__ import annotations

import hashlib
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType

from pytest_lan_hil.cli.output import note
from pytest_lan_hil.cli.project import Project, find_project
from pytest_lan_hil.model.errors import BlockedError, HilError, ImageError, InputError
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.comparisons import repeat_lines, run_comparisons
from pytest_lan_hil.publish.rows import SIMULATED_LABEL
from pytest_lan_hil.publish.terminal import comparison_table, for_encoding
from pytest_lan_hil.run.bisect.building import BuildFailed, Recipe, keep_image
from pytest_lan_hil.run.bisect.git import Checkout, Commit
from pytest_lan_hil.run.bisect.search import Result, Search, Step
from pytest_lan_hil.run.bisect.session import Comparer
from pytest_lan_hil.run.bisect.verdict import Word, found_in

# What `git bisect run` takes an exit code for: https://git-scm.com/docs/git-bisect#_bisect_run
STEP_CODES = {Word.GOOD: 0, Word.BAD: 1, Word.SKIP: 125}
ABORT = 128


@dataclass(frozen=True, slots=True)
class Request:
    """What both commands are asked.

    Attributes:
        board, benches, tests, quantities, blocks: Of the sessions.
        image: What the build makes; None: the board's default image.
        output: `--hil-output`, or None.
        build: Program and arguments.
    """

    board: str | None
    benches: tuple[str, ...]
    image: Path | None
    tests: tuple[str, ...]
    quantities: tuple[str, ...]
    blocks: int
    output: str | None
    build: tuple[str, ...]


def bisect(good: str, bad: str, request: Request) -> int:
    """Search for the first bad commit and print it with its comparison; returns the exit code.

    0: it is found. 2: bad is not worse than good. 3: it can't be told, or only to some commits.

    Raises:
        HilError: See `run.bisect.search.Search.run`.
    """
    _check(request)
    if not request.build:
        raise InputError("no build command was given", fix="write it behind `--`: -- make -C firmware")
    project = find_project()
    checkout = Checkout.around(Path.cwd())
    first, last = checkout.commit(good), checkout.commit(bad)
    recipe = Recipe.at(request.build, here=Path.cwd(), image=_image(request, project), top=checkout.top)
    checkout.require_ancestor(first, last)
    folder = _folder(project, request, "bisect", f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}")
    search = Search(checkout, recipe, _comparer(request, project, folder), folder, request.quantities, note)
    with _ended_as_by_ctrl_c():
        result = search.run(first, last)
    print(*for_encoding(_told(result, first), sys.stdout.encoding), sep="\n")
    print(f"images, logs and records: {folder}")
    return _code(result)


def bisect_step(good: Path, request: Request) -> int:
    """Judge what is checked out here, for `git bisect run`; returns its exit code (`STEP_CODES`, `ABORT`)."""
    try:
        _check(request)
        return _step(good, request)
    except HilError as error:
        print(f"lan-hil: {error}", file=sys.stderr)
        return ABORT


def _step(good: Path, request: Request) -> int:
    if not good.is_file():
        raise ImageError(f"good image {good} is not there", fix="build the good commit, and copy its image")
    project = find_project()
    checkout = Checkout.around(Path.cwd())
    here = checkout.commit("HEAD")
    folder = _folder(project, request, "bisect-step", here.sha[:12])
    image = _image(request, project)
    try:
        if request.build:
            recipe = Recipe.at(request.build, here=Path.cwd(), image=image, top=checkout.top)
            kept = recipe.build(checkout.top, folder)
        elif image.is_file():
            kept = keep_image(image, folder)
        else:
            raise BuildFailed(f"there is no {image}")
    except BuildFailed as failure:
        note(f"skip: {here}: {failure}")
        return STEP_CODES[Word.SKIP]
    if kept.sha256 == hashlib.sha256(good.read_bytes()).hexdigest():
        note(f"good: {here}: its image is the good one")
        return STEP_CODES[Word.GOOD]
    comparer = _comparer(request, project, folder.parent)
    record, path = comparer.compare(good.absolute(), kept.path, folder / "session.log")
    found = found_in(record, request.quantities)
    print(*for_encoding(_table(record), sys.stdout.encoding), sep="\n")
    note(f"{found.word.value}: {here}: {found.reason}\nrecord: {path}")
    return STEP_CODES[found.word]


def exit_code_for_git(code: int) -> int:
    """An exit code of `bisect-step` for `git bisect run`: whatever is no verdict ends the search."""
    return code if code in STEP_CODES.values() or code >= ABORT else ABORT


def _check(request: Request) -> None:
    for quantity in request.quantities:
        if quantity not in QUANTITIES:
            raise InputError(f"--quantity {quantity} is no quantity", fix=f"use of: {', '.join(QUANTITIES)}")


def _image(request: Request, project: Project) -> Path:
    """The image in the user's checkout, relative to where the user stands."""
    if request.image is not None:
        return request.image
    if request.board is None:
        raise InputError("which image the build makes is not known", fix="give --image PATH, or --board NAME")
    from pytest_lan_hil.config import load_board

    board = load_board(request.board, project.search())
    path = board.images.get(board.default_image)
    if path is None:
        raise InputError(f"board {board.name} names no image", fix="give --image PATH: what the build makes")
    return path


def _folder(project: Project, request: Request, command: str, name: str) -> Path:
    """A folder for images, logs and records, in the project's output folder."""
    folder = project.output(request.output).absolute() / command / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"making {folder}: {error.strerror}",
            fix="make room or rights there, or choose another folder with --hil-output DIR",
        ) from None
    return folder


def _comparer(request: Request, project: Project, output: Path) -> Comparer:
    root = ("-c", str(project.file)) if project.file is not None else ("--rootdir", str(project.rootdir))
    boards = ("--board", request.board) if request.board is not None else ()
    benches = tuple(word for name in request.benches for word in ("--bench", name))
    options = (*boards, *benches, "--hil-ab-blocks", str(request.blocks))
    return Comparer(Path.cwd(), root, options, request.tests, output)


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """SIGTERM, with which a CI ends a job, cleans up as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _code(result: Result) -> int:
    if result.proof.found.word is Word.GOOD:
        return InputError.exit_code
    return 0 if len(result.suspects) == 1 else BlockedError.exit_code


def _told(result: Result, good: Commit) -> list[str]:
    proof = result.proof
    if proof.found.word is Word.GOOD:
        return [f"nothing to find: {proof.commit} is not worse than {good}", *_evidence(proof)]
    if proof.found.word is Word.SKIP:
        return [
            f"not searched: it can't be told whether {proof.commit} is worse than {good}",
            *proof.found.reason.splitlines(),
            *_evidence(proof),
        ]
    if result.step is not None:
        like = result.step.like
        same = [f"  its image is that of {like}"] if like is not None else []
        return [f"first bad commit: {result.step.commit}", *same, *_evidence(result.step)]
    return [
        f"the first bad commit is one of {len(result.suspects)}: the others could not be judged",
        *(f"  {commit}" for commit in result.suspects),
        f"bad compared with good ({proof.commit}):",
        *_evidence(proof),
    ]


def _evidence(step: Step) -> list[str]:
    if step.record is None:
        return step.found.reason.splitlines()
    return [*_table(step.record), f"record: {step.record_path}"]


def _table(record: RunRecord) -> Sequence[str]:
    label = [SIMULATED_LABEL] if record.simulated else []
    compared = run_comparisons(record)
    table = comparison_table(compared, record.kind) if compared else ["nothing was compared"]
    return [*label, "", *table, *repeat_lines(record), ""]
