"""Where boards and benches are looked for. The first place that has the name wins:

1. `boards/` (`benches/`) of the project, that is under pytest's root directory;
2. the folders that the project configures (`hil_boards`, `hil_benches`);
3. installed packages that offer an entry point in group `pytest_lan_hil.boards` (`pytest_lan_hil.benches`);
4. those that come with this package.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from pytest_lan_hil.config.bench import Bench
from pytest_lan_hil.config.board import Board
from pytest_lan_hil.config.fields import nearest
from pytest_lan_hil.config.loading import read_bench, read_board
from pytest_lan_hil.model.errors import InputError

#: What the name of a bench starts with that is a recorded capture.
REPLAY = "replay:"


@dataclass(frozen=True, slots=True)
class Place:
    """One folder of the search path.

    Attributes:
        folder: It need not exist.
        origin: "project", "hil_boards", "entry point NAME", "shipped".
        problem: Why it can't be searched, or "".
    """

    folder: Path
    origin: str
    problem: str = ""

    def __str__(self) -> str:
        state = self.problem or ("" if self.folder.is_dir() else "no such folder")
        return f"{self.folder} ({self.origin}{'; ' + state if state else ''})"


@dataclass(frozen=True, slots=True)
class Found:
    """A board or bench file on the search path: its name, where it is, and which place it came from."""

    name: str
    path: Path
    origin: str


@dataclass(frozen=True, slots=True)
class SearchPath:
    """The places for boards and for benches, in the order they are asked.

    Attributes:
        rootdir: The project; relative files are tried against it after the working directory.
        boards, benches: Places.
    """

    rootdir: Path
    boards: tuple[Place, ...]
    benches: tuple[Place, ...]

    @classmethod
    def default(
        cls, rootdir: Path, extra: Sequence[str | Path] = (), extra_benches: Sequence[str | Path] = ()
    ) -> SearchPath:
        """The search path of a project.

        Args:
            rootdir: pytest's root directory.
            extra: Folders of board files (`hil_boards`), relative to `rootdir`.
            extra_benches: Folders of bench files (`hil_benches`), relative to `rootdir`.

        Raises:
            InputError: a configured folder is not there.
        """
        return cls(
            rootdir=rootdir,
            boards=_places(rootdir, "boards", extra),
            benches=_places(rootdir, "benches", extra_benches),
        )


def load_board(name_or_path: str | Path, search: SearchPath) -> Board:
    """Find and read a board.

    Args:
        name_or_path: A name on the search path, or a `.toml` file.
        search: Where to look.

    Raises:
        InputError: no board has this name; tells the nearest ones and where was looked.
        ConfigError: the file is wrong.
    """
    return read_board(_find(str(name_or_path), "board", list_boards(search), search.boards, search.rootdir))


def load_bench(name_or_path: str | Path, search: SearchPath) -> Bench:
    """Find and read a bench; arguments and errors as for `load_board`.

    `replay:FILE` is the bench of a recorded capture: nothing stands on it but the record.
    """
    if str(name_or_path).startswith(REPLAY):
        return Bench(name="replay", title="a recorded capture, no device", analyzer=str(name_or_path))
    return read_bench(_find(str(name_or_path), "bench", list_benches(search), search.benches, search.rootdir))


def list_boards(search: SearchPath) -> tuple[Found, ...]:
    """Every board that `load_board` finds by name, sorted by name. Files are not read."""
    return _list(search.boards)


def list_benches(search: SearchPath) -> tuple[Found, ...]:
    """Every bench that `load_bench` finds by name, sorted by name. Files are not read."""
    return _list(search.benches)


def shipped_root() -> Path:
    """The folder that holds the shipped `boards/`, `benches/` and `firmware/prebuilt/`.

    A wheel carries them inside the package, a source checkout beside it; in both they are siblings, so the
    relative paths in the shipped files hold in both.
    """
    package = Path(__file__).resolve().parent.parent
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parent


def _places(rootdir: Path, kind: str, extra: Sequence[str | Path]) -> tuple[Place, ...]:
    places = [Place(rootdir / kind, "project")]
    for folder in extra:
        path = rootdir / Path(folder).expanduser()
        if not path.is_dir():
            raise InputError(
                f"hil_{kind} names the folder {path}, which is not there",
                fix="correct the option or make the folder",
            )
        places.append(Place(path, f"hil_{kind}"))
    places.extend(_entry_point_places(f"pytest_lan_hil.{kind}"))
    shipped = shipped_root() / kind
    if shipped.resolve() != places[0].folder.resolve():
        places.append(Place(shipped, "shipped"))
    return tuple(places)


def _entry_point_places(group: str) -> list[Place]:
    places = []
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        origin = f"entry point {entry.name}"
        try:
            spec = importlib.util.find_spec(entry.module)
        except ImportError as error:
            spec, problem = None, f"{error}"
        else:
            problem = f"no module named {entry.module!r}"
        if spec is None:
            places.append(Place(Path(entry.module.replace(".", os.sep)), origin, problem))
        elif spec.submodule_search_locations:
            places.extend(Place(Path(folder), origin) for folder in spec.submodule_search_locations)
        elif spec.origin:
            places.append(Place(Path(spec.origin).parent, origin))
    return places


def _list(places: Sequence[Place]) -> tuple[Found, ...]:
    found: dict[str, Found] = {}
    for place in places:
        if place.problem or not place.folder.is_dir():
            continue
        for path in sorted(place.folder.glob("*.toml")):
            found.setdefault(path.stem, Found(path.stem, path, place.origin))
    return tuple(found[name] for name in sorted(found))


def _find(wanted: str, kind: str, known: Sequence[Found], places: Sequence[Place], rootdir: Path) -> Path:
    for found in known:
        if found.name == wanted:
            return found.path
    if "/" in wanted or os.sep in wanted or wanted.endswith(".toml"):
        given = Path(wanted).expanduser()
        return (
            given
            if given.exists() or given.is_absolute() or not (rootdir / given).exists()
            else rootdir / given
        )
    near = nearest(wanted, [found.name for found in known])
    names = ", ".join(found.name for found in known) or "none"
    looked = "".join(f"\n    {place}" for place in places)
    hint = f"did you mean {near}? " if near else ""
    raise InputError(
        f'unknown {kind} "{wanted}"; known: {names}\n  looked in:{looked}',
        fix=f"{hint}or add {wanted}.toml to {places[0].folder}",
    )
