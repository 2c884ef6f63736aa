"""Where the DUT's core spends its time while it makes inferences, by function of its image.

A probe that can count cycles (a virtual one) counts every one of them. Any other reads the program counter
again and again while the core runs: DWT_PCSR (ARM DDI 0403E, C1.8: the address of a recently executed
instruction, all ones while the core is halted), with DHCSR.S_SLEEP for a core that sleeps. The debugger is
attached meanwhile, so power can't be measured at the same time.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_lan_hil.model.errors import DutProtocolError, ImageError, MeasurementInvalid
from pytest_lan_hil.model.profile import OUTSIDE, Counted, FunctionTime, Profile

if TYPE_CHECKING:
    from pytest_lan_hil.dut.attached import Target
    from pytest_lan_hil.dut.dut import Dut
    from pytest_lan_hil.dut.image import FirmwareImage
    from pytest_lan_hil.dut.probe import Probe

DWT_PCSR, DEMCR, DHCSR = 0xE000_101C, 0xE000_EDFC, 0xE000_EDF0
TRCENA, S_SLEEP = 1 << 24, 1 << 18
_NO_SAMPLE = 0xFFFF_FFFF

INFERENCES = 20
"""So many are counted exactly; samples are taken over as many, again and again, for `SAMPLED_S`."""
SAMPLED_S = 5.0
_BURST = 16
_FEWEST_BURSTS = 2

Burst = Sequence[int | None]
"""Samples that were read together: addresses, None for a core that slept."""


def profile(probe: Probe, dut: Dut, *, inferences: int = INFERENCES, seconds: float = SAMPLED_S) -> Profile:
    """Let the DUT make inferences, and tell where its core was.

    Args:
        probe: Its probe.
        dut: The DUT, ready; its image must be known.
        inferences: In one go.
        seconds: How long samples are taken at least, on the board's clock, where cycles can't be counted.

    Raises:
        ImageError: The image is not known, or names no functions.
        MeasurementInvalid: The program counter can't be sampled.
        ProbeError, DutError: The probe or the DUT failed.
    """
    image = _named(dut)
    dut.infer(1)  # caches are filled, and a DUT that can't is found out before anything is counted
    counting = probe.count_cycles()
    if counting is None:
        return sampled(probe, dut, inferences=inferences, seconds=seconds)
    start = probe.clock.monotonic()
    with counting as counts:
        dut.infer(inferences)
        duration_s = probe.clock.monotonic() - start
    return Profile(
        firmware_sha256=image.sha256,
        counted=Counted.CYCLES,
        inferences=inferences,
        duration_s=duration_s,
        asleep_s=max(duration_s - counts.running_s, 0.0),
        total=counts.cycles,
        functions=cycles_by_function(counts.blocks, image.function_at),
    )


def sampled(probe: Probe, dut: Dut, *, inferences: int, seconds: float) -> Profile:
    """As `profile`, from samples of the program counter."""
    image = _named(dut)
    clock = probe.clock
    bursts: list[Burst] = []
    made = 0
    with probe.attached() as target, _tracing(target):
        with contextlib.suppress(DutProtocolError):  # not every firmware has a pace; asleep it tells little
            dut.set_pace(0)
        start = clock.monotonic()
        while made == 0 or clock.monotonic() - start < seconds:
            with _meanwhile(lambda: dut.infer(inferences)) as going_on:
                while going_on():
                    bursts.append(read_burst(target))
            made += inferences
        duration_s = clock.monotonic() - start
    if len(bursts) < _FEWEST_BURSTS:
        raise MeasurementInvalid(
            f"sampling the program counter: {len(bursts) * _BURST} samples in {duration_s:.3g} s are too few",
            fix="use a faster probe",
        )
    functions, asleep = samples_by_function(bursts, image.function_at)
    total = sum(len(burst) for burst in bursts)
    return Profile(
        firmware_sha256=image.sha256,
        counted=Counted.SAMPLES,
        inferences=made,
        duration_s=duration_s,
        asleep_s=duration_s * asleep / total,
        total=total,
        functions=functions,
    )


def _named(dut: Dut) -> FirmwareImage:
    image = dut.image
    if image is None or not image.functions:
        what = "no image was flashed" if image is None else f"{image.path} names no functions"
        raise ImageError(f"profiling by function: {what}", fix="flash an ELF with its symbols")
    return image


@contextmanager
def _tracing(target: Target) -> Iterator[None]:
    """DWT needs DEMCR.TRCENA; it is left as it was found."""
    before = target.read32(DEMCR)
    target.write32(DEMCR, before | TRCENA)
    try:
        yield
    finally:
        target.write32(DEMCR, before)


def read_burst(target: Target) -> Burst:
    """Some samples, as close together as the probe can.

    Raises:
        MeasurementInvalid: The core is awake, and its program counter can't be sampled.
    """
    pairs = target.read32_often((DHCSR, DWT_PCSR), _BURST)
    burst = [None if state & S_SLEEP else address for state, address in pairs]
    awake = [address for address in burst if address is not None]
    if awake and not any(awake):
        raise MeasurementInvalid(
            "sampling the program counter: DWT_PCSR reads as zero, so this core has none",
            fix="profile on a board whose core has it, or on the virtual bench",
        )
    return burst


@contextmanager
def _meanwhile(act: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    """`act` runs in a thread of its own; the block gets a function that says whether it still does.

    What `act` raises is raised at the end of the block.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="inferences", daemon=True)
    thread.start()
    try:
        yield thread.is_alive
    finally:
        thread.join()
    if failures:
        raise failures[0]


# Arithmetic -----------------------------------------------------------------------------------------------


def cycles_by_function(
    blocks: Mapping[int, int], function_at: Callable[[int], str]
) -> tuple[FunctionTime, ...]:
    """Cycles of each function, largest first; their sum is that of `blocks`.

    Args:
        blocks: Address of a block of code to the cycles that it took.
        function_at: Name of the function at an address, "" for none.
    """
    found: Counter[str] = Counter()
    for address, cycles in blocks.items():
        found[function_at(address) or OUTSIDE] += cycles
    return _ordered(FunctionTime(name, amount, 0.0) for name, amount in found.items() if amount)


def samples_by_function(
    bursts: Sequence[Burst], function_at: Callable[[int], str]
) -> tuple[tuple[FunctionTime, ...], int]:
    """Samples of each function, largest first, and how many found the core asleep.

    Samples of one burst resemble each other, so the standard error is made from how bursts differ: the
    variance of a ratio where whole clusters are sampled (Cochran, Sampling Techniques).

    Args:
        bursts: Two at least.
        function_at: Name of the function at an address, "" for none.
    """
    counts = [_count(burst, function_at) for burst in bursts]
    whole: Counter[str | None] = sum(counts, Counter())
    total = whole.total()
    asleep = whole.pop(None, 0)
    rows = []
    for name, amount in whole.items():
        share = amount / total
        squares = math.fsum((count[name] - share * count.total()) ** 2 for count in counts)
        rows.append(FunctionTime(str(name), amount, math.sqrt(squares * len(bursts) / (len(bursts) - 1))))
    return _ordered(rows), asleep


def _count(burst: Burst, function_at: Callable[[int], str]) -> Counter[str | None]:
    def name(address: int | None) -> str | None:
        if address is None:
            return None
        return (function_at(address) if address != _NO_SAMPLE else "") or OUTSIDE

    return Counter(map(name, burst))


def _ordered(rows: Iterator[FunctionTime] | Sequence[FunctionTime]) -> tuple[FunctionTime, ...]:
    return tuple(sorted(rows, key=lambda row: (-row.amount, row.name)))
