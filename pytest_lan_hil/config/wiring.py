"""A bench and a board joined: every placeholder filled, or an error that names the key to add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_lan_hil.config import uris
from pytest_lan_hil.config.bench import Bench
from pytest_lan_hil.config.board import NATIVE, Board
from pytest_lan_hil.config.fields import number_text
from pytest_lan_hil.config.keylines import key_lines
from pytest_lan_hil.config.scratch import scratch_folder
from pytest_lan_hil.model.errors import ConfigError, InputError


@dataclass(frozen=True, slots=True)
class Wiring:
    """The devices of a bench for one board.

    Attributes:
        probe, console, analyzer, edges: URIs with nothing left to fill in, or None where the bench has none;
            but `{image}` stays in a console until an image is started.
        markers: Marker line to the analyzer's input.
        edge_lines: Marker line to the edge source's line.
        sync: The marker line that both see, or None.
    """

    probe: str | None
    console: str | None
    analyzer: str | None
    markers: Mapping[str, str]
    edges: str | None = None
    edge_lines: Mapping[str, str] = field(default_factory=dict)
    sync: str | None = None

    @property
    def uris(self) -> tuple[str, ...]:
        """The devices that it names; of a GPIO chip its lines, which benches may share out among them."""
        devices = [uri for uri in (self.probe, self.console, self.analyzer) if uri is not None]
        return tuple(devices + [f"{self.edges}#{line}" for line in self.edge_lines.values()])

    @property
    def program(self) -> str | None:
        """The console, where it is the board's own image as a program of this host; else None."""
        return self.console if self.console is not None and uris.IMAGE in self.console else None


def wire_first(benches: Sequence[Bench], board: Board) -> tuple[Bench, Wiring]:
    """Join a board with the first of these benches that serves it.

    Args:
        benches: At least one.
        board: The board.

    Raises:
        ConfigError: The only one does not.
        InputError: None of several does; says why each doesn't.
    """
    refusals = []
    for bench in benches:
        try:
            return bench, wire(bench, board)
        except ConfigError as error:
            refusals.append((bench, error))
    if len(refusals) == 1:
        raise refusals[0][1]
    names = ", ".join(bench.name for bench, _ in refusals)
    reasons = "".join(f"\n    {bench.name}: {error.problem}" for bench, error in refusals)
    raise InputError(
        f"none of the benches {names} serves board {board.name}:{reasons}",
        fix="name one that does: --bench NAME, or another name in hil_bench",
    )


def wire(bench: Bench, board: Board) -> Wiring:
    """Join a bench and a board.

    An instrument's option whose whole value is a marker line's pin is left out, and so is the marker line,
    when the board does not raise that line; every other placeholder must be filled.

    Raises:
        ConfigError: the bench does not serve the board, or the board lacks what the bench asks of it.
    """
    if bench.boards and board.name not in bench.boards:
        raise ConfigError(
            f"bench {bench.name} does not serve board {board.name}, only {', '.join(bench.boards)}",
            path=bench.path,
            line=_line(bench, "boards"),
            key="boards",
            fix=f'add "{board.name}" to the list, or choose another bench with --bench',
        )
    talks = bench.probe or bench.console  # else a record is replayed
    if board.is_native and talks and uris.IMAGE not in (bench.console or ""):
        raise ConfigError(
            f"board {board.name} is a program of this host, which bench {bench.name} does not start",
            path=bench.path,
            line=_line(bench, "console"),
            key="console",
            fix='write  console = "exec:{image}"  or choose another bench with --bench',
        )
    values = _values(board)
    analyzer, markers = _raised(bench.analyzer, bench.markers, board)
    edges, edge_lines = _raised(bench.edges, bench.edge_lines, board)
    return Wiring(
        probe=_fill(bench.probe, "probe", values, bench, board),
        console=_fill(bench.console, "console", values, bench, board),
        analyzer=_fill(analyzer, "analyzer", values, bench, board),
        markers=markers,
        edges=_fill(edges, "edge source", values, bench, board),
        edge_lines=edge_lines,
        sync=bench.sync if bench.sync in markers and bench.sync in edge_lines else None,
    )


def _raised(uri: str | None, wired: Mapping[str, str], board: Board) -> tuple[str | None, Mapping[str, str]]:
    """An instrument's URI and its marker lines, without those whose pin it asks for and the board lacks."""
    if uri is None:
        return None, wired
    unraised = frozenset(f"pin.{marker}" for marker in wired if marker not in board.marker_pins)
    shortened = uris.drop_options(uri, unraised)
    if shortened == uri:
        return uri, wired
    dropped = unraised.intersection(uris.PLACEHOLDER.findall(uri))
    return shortened, {marker: place for marker, place in wired.items() if f"pin.{marker}" not in dropped}


def _values(board: Board) -> Mapping[str, str]:
    values = {
        "board": board.name,
        "target": board.target,
        "baudrate": str(board.baudrate),
        "scratch": str(scratch_folder()),
    }
    if board.supply_v is not None:
        values["supply_v"] = number_text(board.supply_v)
    if board.is_native:
        values["image"] = uris.IMAGE
    if board.virtual is not None:
        values["virtual"] = board.virtual
    return values | {f"pin.{marker}": pin for marker, pin in board.marker_pins.items()}


def _fill(uri: str | None, role: str, values: Mapping[str, str], bench: Bench, board: Board) -> str | None:
    if uri is None:
        return None
    for name in uris.PLACEHOLDER.findall(uri):
        if name not in values:
            raise _lacking(name, role, bench, board)
    return uris.PLACEHOLDER.sub(lambda found: values[found[1]], uri)


def _lacking(name: str, role: str, bench: Bench, board: Board) -> ConfigError:
    need = f"bench {bench.name} needs it for its {role}"
    if name == "virtual":
        return ConfigError(
            f"board {board.name} has no virtual silicon; {need}",
            path=board.path,
            key="virtual",
            fix=f'add the line  virtual = "{board.target}"  if that silicon is emulated, or'
            " choose a bench with a real board: --bench NAME",
        )
    if name == "supply_v":
        return ConfigError(
            f"board {board.name} has no supply rail; {need}",
            path=board.path,
            key="supply_v",
            fix="add the line  supply_v = 3.0  with the rail's own voltage, or choose a bench that measures"
            " no power: --bench NAME",
        )
    if name == "image":
        return ConfigError(
            f"board {board.name} is no program of this host; {need}",
            path=board.path,
            key="target",
            fix=f'choose a bench with a probe: --bench NAME  (a program\'s board has  target = "{NATIVE}")',
        )
    marker = name.removeprefix("pin.")
    return ConfigError(
        f"board {board.name} does not say which pin raises marker line {marker}; {need}",
        path=board.path,
        key=f"marker_pins.{marker}",
        fix=f'add under [marker_pins] the line  {marker} = "P0.13"  with the board\'s own pin',
    )


def _line(bench: Bench, key: str) -> int | None:
    try:
        return key_lines(bench.path.read_text("utf-8-sig")).get((key,))
    except OSError:
        return None
