"""From an edge source's URI to watched GPIO lines.

    gpiod:/dev/gpiochip0
    gpiod:/dev/gpiochip0?bias=pull-up&buffer=256&jitter_us=12

Lines are named by offset ("17") or by the kernel's name ("GPIO17"). Other chips come from entry points in
group `pytest_lan_hil.gpio_chips`, named after a `+` (`gpiod+virtual:nrf52840?17=P0.13`): a callable
`(target: str, options: Mapping[str, str])` that returns a `gpiod_chip.Chip`. Beside its own options it is
given `jitter_us`.
"""

from __future__ import annotations

import contextlib
import errno
import math
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, entry_points, version

from pytest_lan_hil.instruments.gpiod_chip import BIASES, Chip, KernelChip, LineSettings, failed
from pytest_lan_hil.instruments.gpiod_source import GpiodSource, Timing
from pytest_lan_hil.instruments.registry import AnalyzerUri
from pytest_lan_hil.model.capture import InstrumentIdentity
from pytest_lan_hil.model.clock import HOST_TIMEBASE
from pytest_lan_hil.model.errors import InputError, InstrumentError

CHIPS = "pytest_lan_hil.gpio_chips"
_OPTIONS = ("bias", "debounce_us", "buffer", "jitter_us", "timebase_ppm")
# The kernel keeps no more than 64 * 16 events of one request, and cuts a larger wish to that without a word.
LARGEST_BUFFER = 1024
# The kernel debounces by a timer of whole jiffies, the longest of which (CONFIG_HZ=100) last this long, and
# stamps when that has run out.
_JIFFY_S = 10e-3
# The kernel's stamps are in nanoseconds.
_STEP_S = 1e-9
#: 95 % half-width of a stamp where the URI gives none: unconfirmed. From a pin's edge to its interrupt, 9 to
#: 11 us were measured on a first Raspberry Pi (jjackowski.wordpress.com, 2013-03-01); a busy host is later.
JITTER_US = 20.0
#: The kernel stamps with CLOCK_MONOTONIC.
TIMEBASE_PPM = HOST_TIMEBASE * 1e6


def open_gpiod(uri: AnalyzerUri, *, lines: Mapping[str, str]) -> GpiodSource:
    """Open the GPIO lines that a URI and a bench's `[edge_lines]` name.

    Args:
        uri: See the module. Options: `bias` (pull-down, so that a loose wire is quiet); `debounce_us` (0,
            off); `buffer` (1024), events that the kernel keeps; `jitter_us` (20) and `timebase_ppm` (500),
            what the stamps are taken to be off by.
        lines: Marker line name to the line's offset or name.

    Raises:
        InputError: The URI can't be meant, or there is no such line.
        InstrumentError: No such chip, no permission, a line is held by someone else, or no `gpiod` package.
    """
    options = dict(uri.options)
    rest = {name: value for name, value in options.items() if name not in _OPTIONS}
    if rest and not uri.driver:
        raise InputError(
            f"edge source {uri.text!r}: a GPIO chip has no option {min(rest)!r}",
            fix=f"options are: {', '.join(_OPTIONS)}",
        )
    bias = options.get("bias", BIASES[0])
    if bias not in BIASES:
        raise InputError(
            f"edge source {uri.text!r}: bias={bias} can't be set", fix=f"use one of: {', '.join(BIASES)}"
        )
    debounce_us = round(_number(uri, "debounce_us", "0", most=1e6))
    settings = LineSettings(bias, debounce_us, round(_number(uri, "buffer", "1024", 1, LARGEST_BUFFER)))
    timing = Timing(
        resolution_s=_STEP_S + (debounce_us * 1e-6 + _JIFFY_S if debounce_us else 0.0),
        jitter_s=_number(uri, "jitter_us", str(JITTER_US), most=1e6) / 1e6,
        timebase=_number(uri, "timebase_ppm", str(TIMEBASE_PPM), most=1e5) / 1e6,
    )
    chip = _named_chip(uri, rest) if uri.driver else _kernel_chip(uri)
    try:
        device = uri.target if not uri.driver else f"{uri.driver} GPIO chip {uri.target}"
        return GpiodSource(
            chip, _offsets(chip, lines, device), settings=settings, timing=timing,
            identity=_identity(uri, chip), device=device,
        )  # fmt: skip
    except BaseException:
        with contextlib.suppress(OSError):
            chip.close()
        raise


def _number(uri: AnalyzerUri, name: str, default: str, least: float = 0.0, most: float = math.inf) -> float:
    text = uri.options.get(name, default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise InputError(
            f"edge source {uri.text!r}: {name}={text} can't be set",
            fix=f"write a number from {least:g} to {most:g}, for instance {name}={default}",
        )
    return value


def _kernel_chip(uri: AnalyzerUri) -> Chip:
    if not uri.target:
        raise InputError(
            f"edge source {uri.text!r} names no GPIO chip",
            fix="write for instance gpiod:/dev/gpiochip0; `gpiodetect` lists what is there",
        )
    try:
        return KernelChip(uri.target)
    except OSError as error:
        raise failed(f"opening GPIO chip {uri.target}", error, device=uri.target) from error


def _named_chip(uri: AnalyzerUri, rest: Mapping[str, str]) -> Chip:
    found = {entry.name: entry for entry in entry_points(group=CHIPS)}
    if uri.driver not in found:
        raise InputError(
            f"edge source {uri.text!r}: there is no GPIO chip {uri.driver!r}",
            fix=f"use one of: {', '.join(sorted(found)) or 'none installed'};"
            " or write `gpiod:/dev/gpiochip0` for a real one",
        )
    told = {"jitter_us": uri.options.get("jitter_us", str(JITTER_US))}
    try:
        chip: Chip = found[uri.driver].load()(uri.target, {**rest, **told})
    except ImportError as error:
        raise InstrumentError(
            f"loading the GPIO chip {uri.driver!r}: {error}",
            fix=f'run `pip install "pytest-lan-hil[{uri.driver}]"`',
        ) from error
    return chip


def _offsets(chip: Chip, lines: Mapping[str, str], device: str) -> dict[str, int]:
    """Marker line name to offset; each line once."""
    offsets: dict[str, int] = {}
    for name, line in lines.items():
        try:
            offset = chip.line_offset_from_id(line)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EINVAL):
                raise failed(f"looking for GPIO line {line} of {device}", error, device=device) from error
            raise InputError(
                f"marker line {name!r} is wired to GPIO line {line!r}, which {device} ({chip.label}) lacks",
                fix=f'see `gpioinfo` for its lines, and correct [edge_lines] {name} = "{line}"',
            ) from error
        for other, taken in offsets.items():
            if taken == offset:
                raise InputError(
                    f"marker lines {other!r} ({lines[other]}) and {name!r} ({line}) are the same line,"
                    f" {offset} of {device}",
                    fix=f"give {name!r} its own line in [edge_lines]",
                )
        offsets[name] = offset
    return offsets


def _identity(uri: AnalyzerUri, chip: Chip) -> InstrumentIdentity:
    notes: tuple[str, ...] = ()
    if "jitter_us" not in uri.options:
        notes = (
            f"edges of GPIO lines are taken to be stamped within {JITTER_US:g} us (unconfirmed; it depends on"
            " the host: `lan-hil selftest --loop` measures it)",
        )
    return InstrumentIdentity(
        model=f"GPIO lines of {chip.label}",
        serial=uri.target,
        version="" if uri.driver else f"gpiod {_package_version()}",
        simulated=bool(getattr(chip, "simulated", False)),
        notes=(*notes, *getattr(chip, "notes", ())),
    )


def _package_version() -> str:
    try:
        return version("gpiod")
    except PackageNotFoundError:
        return "of an unknown version"
