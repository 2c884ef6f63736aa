"""Is everything that a bench names there, and may we use it? Every finding that is bad says what mends it.

`examine` judges what `survey` saw; nothing is opened or flashed.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from importlib.metadata import entry_points
from pathlib import Path

from pytest_lan_hil.config import Bench, Board, Wiring, wire
from pytest_lan_hil.config.uris import IMAGE, PLACEHOLDER, device_of
from pytest_lan_hil.dut.process import SCHEME, words_of
from pytest_lan_hil.dut.program import load_image_for
from pytest_lan_hil.dut.targets import install_command, is_known
from pytest_lan_hil.model.errors import HilError
from pytest_lan_hil.run.project import versions
from pytest_lan_hil.run.survey import Attached, SerialPort, may_open

_EXTRAS = {
    "virtual": ("unicorn", "capstone", "numba", "joulescope", "pyjoulescope_driver"),
    "joulescope": ("joulescope", "pyjoulescope_driver"),
    "ppk2": ("ppk2_api",),
    "ina219": ("smbus2",),
    "gpio": ("gpiod",),
}
# Kind of instrument to the extra that brings its package.
_INSTRUMENT_EXTRAS = {
    "joulescope": "joulescope",
    "ppk2": "ppk2",
    "ina219": "ina219",
    "ina228": "ina219",
    "gpiod": "gpio",
}


class Level(str, Enum):
    """How a finding counts."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: subject ("probe"), what was found, and what to do (unless it is good)."""

    level: Level
    subject: str
    text: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the doctor found."""

    versions: dict[str, str]
    attached: Attached
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing that was asked for is missing."""
        return all(finding.level is not Level.MISSING for finding in self.findings)


def diagnose(attached: Attached, benches: Sequence[Bench], board: Board | None) -> Diagnosis:
    """Judge what is attached, against benches and a board where they are given.

    Of several benches the findings say which they are about.

    Raises:
        ConfigError: A bench does not serve the board, or the board lacks what the bench asks of it.
    """
    findings = [*examine_machine(attached)]
    for bench in benches or (None,):
        found = _examine_bench(attached, bench, board)
        prefix = f"{bench.name} " if bench is not None and len(benches) > 1 else ""
        findings += [replace(finding, subject=prefix + finding.subject) for finding in found]
    if board is not None:
        findings += examine_board(board)
    return Diagnosis({"python": platform.python_version(), **versions()}, attached, tuple(findings))


def _examine_bench(attached: Attached, bench: Bench | None, board: Board | None) -> Iterator[Finding]:
    if bench is None:
        yield Finding(
            Level.NOTE,
            "bench",
            "none chosen (--bench, LAN_HIL_BENCH, hil_bench in the ini file)",
            "lan-hil doctor --bench NAME --board NAME",
        )
    elif board is not None:
        yield from examine_wiring(attached, wire(bench, board))
    elif any(
        PLACEHOLDER.search(uri) for uri in (bench.probe, bench.console, bench.analyzer, bench.edges) if uri
    ):
        yield Finding(
            Level.NOTE,
            "bench",
            f"{bench.name} serves many boards: which devices it names depends on the board",
            f"lan-hil doctor --bench {bench.name} --board NAME   (`lan-hil boards` lists them)",
        )
    else:
        wiring = Wiring(
            bench.probe,
            bench.console,
            bench.analyzer,
            bench.markers,
            bench.edges,
            bench.edge_lines,
            bench.sync,
        )
        yield from examine_wiring(attached, wiring)


def examine_machine(attached: Attached) -> Iterator[Finding]:
    """Devices that are there but can't be used, or can't be told apart."""
    for device in attached.usb:
        if not device.permitted:
            rule = f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{device.usb[:4]}", MODE="0660", TAG+="uaccess"'
            yield Finding(
                Level.MISSING,
                "permission",
                f"{device.title} ({device.usb}) is attached, but this user may not open {device.file}",
                f"echo '{rule}' | sudo tee /etc/udev/rules.d/70-lan-hil-{device.usb[:4]}.rules"
                " && sudo udevadm control --reload-rules && sudo udevadm trigger, then plug it in again",
            )
    for port in attached.ports:
        if not port.permitted and port.usb:
            yield _port_forbidden(Level.NOTE, port.device, port.group)
    for uri, count in Counter(probe.uri.lower() for probe in attached.probes).items():
        if count > 1:
            yield Finding(
                Level.MISSING,
                "probe",
                f"{count} probes say they are {uri}: they can't be told apart",
                "unplug all but one of them, or give them serial numbers with their maker's tool",
            )


def examine_wiring(attached: Attached, wiring: Wiring) -> Iterator[Finding]:
    """Every device that the bench names."""
    if wiring.probe is not None:
        yield _probe(attached, wiring.probe)
    if wiring.console is not None:
        yield from _console(attached, wiring.console)
    if wiring.analyzer is not None:
        yield _analyzer(attached, wiring.analyzer)
    if wiring.edges is not None:
        yield _instrument("edges", wiring.edges)
    yield from _collisions(wiring)


def examine_board(board: Board) -> Iterator[Finding]:
    """Whether pyOCD knows the board's chip, and whether its images are there and fit, or can be made."""
    if board.build:
        yield _build(board)
    if board.is_native:
        yield Finding(Level.OK, "target", "a program of this host, no chip")
    elif is_known(board.target):
        yield Finding(Level.OK, "target", f"pyOCD knows {board.target}")
    else:
        yield Finding(
            Level.MISSING,
            "target",
            f"pyOCD does not know target {board.target} of board {board.name}",
            install_command(board),
        )
    for name in board.images:
        try:
            path = board.image(name)
            load_image_for(board, path)
        except HilError as error:
            needed = name == board.default_image and not board.build
            level = Level.MISSING if needed else Level.NOTE
            yield Finding(level, f"image {name}", error.problem, error.fix)
        else:
            yield Finding(Level.OK, f"image {name}", str(path))


def _build(board: Board) -> Finding:
    """Whether the build command is there; what it needs in turn is found out when it runs."""
    command = shlex.join(board.build)
    if shutil.which(board.build[0]) is None and not (board.path.parent / board.build[0]).exists():
        what = f"`{command}` makes the images, but there is no program {board.build[0]}"
        return Finding(Level.MISSING, "build", what, "install it, or correct `build` in the board file")
    return Finding(Level.OK, "build", f"`{command}` makes the images before the first flash of a session")


def _probe(attached: Attached, uri: str) -> Finding:
    real = [probe for probe in attached.probes if not probe.simulated]
    found = (
        real if uri == "auto" else [probe for probe in attached.probes if probe.uri.lower() == uri.lower()]
    )
    listed = ", ".join(map(str, real)) or "none"
    if len(found) == 1:
        return Finding(Level.OK, "probe", f"{found[0].uri}: {found[0].label}")
    if uri.startswith("virtual:"):
        return Finding(
            Level.MISSING, "probe", f"{uri} is not there: {_why_not_virtual()}", _install("virtual")
        )
    if len(found) > 1:
        return Finding(
            Level.MISSING,
            "probe",
            f"{uri} could be {len(found)} probes: {', '.join(map(str, found))}",
            "name one of them in the bench file, or unplug the others",
        )
    return Finding(
        Level.MISSING,
        "probe",
        f"{uri} is not attached; attached: {listed}",
        f'plug it in, or write  probe = "{real[0].uri}"' if len(real) == 1 else "plug it in",
    )


def _console(attached: Attached, uri: str) -> Iterator[Finding]:
    device = device_of(uri)
    if uri.startswith(SCHEME):
        yield _program(uri)
        return
    if "://" in uri:
        yield _console_url(uri)
        return
    port = next((port for port in attached.ports if _same_file(device, port.device, port.by_id)), None)
    listed = ", ".join(port.name for port in attached.ports if port.usb) or "none"
    if port is None and not Path(device).exists():
        yield Finding(
            Level.MISSING,
            "console",
            f"{device} is not there; serial ports on USB: {listed}",
            f'plug the board in, or write  console = "{listed}"'
            if listed.count("/dev/") == 1
            else "plug the board in",
        )
        return
    if not (port.permitted if port else may_open(Path(device))):
        yield _port_forbidden(Level.MISSING, device, port.group if port else "dialout")
        return
    about = f" ({port.description}, {port.usb})" if port and port.usb else ""
    yield Finding(Level.OK, "console", f"{device}{about}")
    if port is not None and port.by_id and device != port.by_id:
        yield Finding(
            Level.NOTE,
            "console",
            f"{device} is whichever port was found first: another board may get the name",
            f'write  console = "{port.by_id}"',
        )


def _program(uri: str) -> Finding:
    """A program of this host; the board's own image is looked at as an image."""
    word = words_of(uri)[0]
    if IMAGE not in word and shutil.which(word) is None:
        what = f"{uri}: there is no program {word}"
        return Finding(Level.MISSING, "console", what, "build it, or correct `console` in the bench file")
    return Finding(Level.OK, "console", f"{uri} (started only when it is used)")


def _console_url(uri: str) -> Finding:
    scheme = uri.partition("://")[0]
    if scheme != "virtual":
        return Finding(Level.OK, "console", f"{uri} (opened only when it is used)")
    why = _why_not_virtual()
    if why:
        return Finding(Level.MISSING, "console", f"{uri} is not there: {why}", _install("virtual"))
    return Finding(Level.OK, "console", f"{uri} (simulated)")


def _analyzer(attached: Attached, uri: str) -> Finding:
    kind, _, rest = uri.partition(":")
    serial = rest.partition("?")[0]
    if kind != "joulescope":
        return _instrument("analyzer", uri)
    if attached.joulescopes is None or _lacking("joulescope"):
        what = f"{uri}: the joulescope package is not installed"
        return Finding(Level.MISSING, "analyzer", what, _install("joulescope"))
    found = [known for known in attached.joulescopes if not serial or known == serial]
    listed = ", ".join(attached.joulescopes) or "none"
    if len(found) == 1:
        return Finding(Level.OK, "analyzer", f"Joulescope {found[0]}")
    if not found:
        return Finding(
            Level.MISSING,
            "analyzer",
            f"Joulescope {serial or '(any)'} is not attached; attached: {listed}",
            f'plug it in, or write  analyzer = "joulescope:{listed}"'
            if len(attached.joulescopes) == 1
            else "plug it in",
        )
    return Finding(
        Level.MISSING,
        "analyzer",
        f"{uri} could be {len(found)} Joulescopes: {listed}",
        f'write  analyzer = "joulescope:{found[0]}"',
    )


def _instrument(role: str, uri: str) -> Finding:
    """Whether the packages of an instrument are there; the device itself is opened only when it is used."""
    kind, _, driver = uri.partition(":")[0].partition("+")
    if driver == "virtual":
        why = _why_not_virtual()
        if why:
            return Finding(Level.MISSING, role, f"{uri} is not there: {why}", _install("virtual"))
        return Finding(Level.OK, role, f"{uri} (simulated)")
    extra = _INSTRUMENT_EXTRAS.get(kind, "")
    lacking = _lacking(extra) if extra else []
    if lacking:
        return Finding(Level.MISSING, role, f"{uri}: not installed: {', '.join(lacking)}", _install(extra))
    return Finding(Level.OK, role, f"{uri} (opened only when it is used)")


def _collisions(wiring: Wiring) -> Iterator[Finding]:
    """Two roles whose different names lead to one device file."""
    seen: dict[str, str] = {}
    for role, uri in (("console", wiring.console), ("analyzer", wiring.analyzer)):
        file = device_of(uri) if uri else ""
        if not file.startswith("/dev/"):
            continue
        real = os.path.realpath(file)
        if real in seen:
            yield Finding(
                Level.MISSING,
                role,
                f"{seen[real]} and {role} are one device, {real}",
                f"give {role} the device that is wired to it",
            )
        seen[real] = role


def _port_forbidden(level: Level, device: str, group: str) -> Finding:
    return Finding(
        level,
        "permission",
        f"this user may not open {device}",
        f"sudo usermod -aG {group or 'dialout'} $USER, then log in again",
    )


def _same_file(device: str, *names: str) -> bool:
    return device in names or os.path.realpath(device) in map(os.path.realpath, filter(None, names))


def _why_not_virtual() -> str:
    """Why the virtual bench can't be used, or ""."""
    lacking = _lacking("virtual")
    if lacking:
        return f"not installed: {', '.join(lacking)}"
    if not [entry for entry in entry_points(group="pyocd.probe") if entry.name == "virtual"]:
        return "this installation has no virtual bench"
    return ""


def _lacking(extra: str) -> list[str]:
    return [name for name in _EXTRAS[extra] if importlib.util.find_spec(name) is None]


def _install(extra: str) -> str:
    return f'python -m pip install "pytest-lan-hil[{extra}]"'


__all__ = [
    "Diagnosis",
    "Finding",
    "Level",
    "SerialPort",
    "diagnose",
    "examine_board",
    "examine_machine",
    "examine_wiring",
]
