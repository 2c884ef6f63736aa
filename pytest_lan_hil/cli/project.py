"""The project that the command line stands in: its folder and its `hil_*` settings, as pytest would see them.

Which file holds pytest's settings: https://docs.pytest.org/en/stable/reference/customize.html
"""

from __future__ import annotations

import configparser
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_lan_hil.model.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

if TYPE_CHECKING:
    from pytest_lan_hil.config import Bench, Board, SearchPath, Wiring

#: What `--bench` names, in the order given; None or empty: nothing.
BenchNames: TypeAlias = "Sequence[str] | None"

_INI = {"pytest.ini": "pytest", ".pytest.ini": "pytest", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}


@dataclass(frozen=True, slots=True)
class Project:
    """A project under test.

    Attributes:
        rootdir: Where pytest would find its root directory.
        settings: Its ini options, as far as they are ours (`hil_bench`, `hil_boards`, ...).
        file: The file they stand in, or None.
    """

    rootdir: Path
    settings: Mapping[str, Any]
    file: Path | None = None

    def setting(self, given: str | None, name: str) -> str | None:
        """Command line, then environment (LAN_HIL_NAME), then ini file (hil_name)."""
        chosen = given or os.environ.get(f"LAN_HIL_{name.upper()}") or self.settings.get(f"hil_{name}")
        return str(chosen) if chosen else None

    def search(self) -> SearchPath:
        """Where this project's boards and benches are looked for."""
        from pytest_lan_hil.config import SearchPath

        return SearchPath.default(self.rootdir, self.folders("hil_boards"), self.folders("hil_benches"))

    def benches(self, given: BenchNames) -> list[Bench]:
        """The benches that were asked for, in the order in which boards try them; see `options.bench_names`.

        Raises:
            InputError: no such bench.
        """
        from pytest_lan_hil.config import load_bench
        from pytest_lan_hil.options import bench_names

        configured = self.settings.get("hil_bench")
        text = " ".join(map(shlex.quote, configured)) if isinstance(configured, list) else configured
        return [load_bench(name, self.search()) for name in bench_names(given or (), text)]

    def wired(self, given: BenchNames, board: Board) -> tuple[Bench, Wiring]:
        """The first bench that was asked for and serves the board, else the one real probe that is attached.

        Raises:
            InputError: no such bench; none serves the board; none is configured and no single probe is
                attached.
        """
        from pytest_lan_hil.config import wire_first
        from pytest_lan_hil.run.discover import discover_bench

        return wire_first(self.benches(given) or [discover_bench((board.name,))], board)

    def output(self, given: str | None) -> Path:
        """The folder of run records; an ini file's is relative to the root directory."""
        return self._folder(given, "output", ".hil")

    def baselines(self, given: str | None) -> Path:
        """The folder of baseline files; an ini file's is relative to the root directory."""
        return self._folder(given, "baselines", "baselines")

    def _folder(self, given: str | None, name: str, default: str) -> Path:
        chosen = given or os.environ.get(f"LAN_HIL_{name.upper()}")
        return Path(chosen) if chosen else self.rootdir / self.settings.get(f"hil_{name}", default)

    def folders(self, name: str) -> list[str]:
        """Folders that the project configures under this name (`hil_boards`, `hil_benches`)."""
        value = self.settings.get(name, [])
        return shlex.split(value) if isinstance(value, str) else [str(folder) for folder in value]


def find_project(start: Path | None = None) -> Project:
    """The project of the nearest folder, from `start` upwards, whose file configures pytest.

    Raises:
        InputError: that file can't be read.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        for name in (
            "pytest.toml",
            ".pytest.toml",
            "pytest.ini",
            ".pytest.ini",
            "pyproject.toml",
            "tox.ini",
            "setup.cfg",
        ):
            file = folder / name
            settings = _settings(file) if file.is_file() else None
            if settings is not None:
                return Project(folder, settings, file)
    return Project(start, {})


def _settings(file: Path) -> Mapping[str, Any] | None:
    """Our options in `file`, or None if it does not configure pytest."""
    try:
        text = file.read_text("utf-8-sig")
        section = _toml_section(file, text) if file.suffix == ".toml" else _ini_section(file, text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, configparser.Error) as error:
        raise InputError(f"{file} can't be read: {error}", fix="mend the file") from None
    if section is None:
        return None
    return {key: value for key, value in section.items() if key.startswith("hil_")}


def _toml_section(file: Path, text: str) -> Mapping[str, Any] | None:
    tree = tomllib.loads(text)
    if file.name != "pyproject.toml":
        section: Mapping[str, Any] = tree.get("pytest", {})
        return section
    tool = tree.get("tool", {}).get("pytest")
    if tool is None:
        return None
    return {**tool, **tool.get("ini_options", {})}


def _ini_section(file: Path, text: str) -> Mapping[str, Any] | None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text, source=str(file))
    section = _INI[file.name]
    if parser.has_section(section):
        return dict(parser[section])
    return {} if file.name in ("pytest.ini", ".pytest.ini") else None
