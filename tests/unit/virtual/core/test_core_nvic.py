"""Which exception runs next, against the rules of ARM DDI 0403E, B1.5.4, written down naively."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.virtual.silicon import nvic as n
from pytest_lan_hil.virtual.silicon.nvic import LOWEST, Nvic

IRQS = 6
IRQ0, IRQ1, IRQ2 = 16, 17, 18
CONFIGURABLE = [4, 5, 6, 11, 12, 14, 15, *range(16, 16 + IRQS)]


def enabled(*exceptions: int, priority_bits: int = 3) -> Nvic:
    nvic = Nvic(IRQS, priority_bits)
    for exception in exceptions:
        nvic.enabled |= 1 << exception
    return nvic


def test_the_lower_number_runs_first_among_equal_priorities() -> None:
    nvic = enabled(IRQ1, IRQ2)
    nvic.pend(IRQ2)
    nvic.pend(IRQ1)
    assert nvic.next_exception() == IRQ1


def test_the_lower_priority_value_runs_first() -> None:
    nvic = enabled(IRQ1, IRQ2)
    nvic.set_priority(IRQ1, 0x40)
    nvic.set_priority(IRQ2, 0x20)
    nvic.pend(IRQ2)
    nvic.pend(IRQ1)
    assert nvic.next_exception() == IRQ2


def test_unimplemented_priority_bits_read_as_zero() -> None:
    nvic = Nvic(IRQS, 3)
    nvic.set_priority(IRQ0, 0xFF)
    assert nvic.priority[IRQ0] == 0xE0


def test_a_disabled_interrupt_waits() -> None:
    nvic = enabled()
    nvic.pend(IRQ0)
    assert nvic.next_exception() is None
    nvic.enabled |= 1 << IRQ0
    assert nvic.next_exception() == IRQ0


def test_equal_group_priority_does_not_pre_empt() -> None:
    nvic = enabled(IRQ0, IRQ1)
    nvic.prigroup = 5  # two bits of group priority, one of subpriority
    nvic.set_priority(IRQ0, 0x60)
    nvic.set_priority(IRQ1, 0x40)
    nvic.activate(IRQ0)
    nvic.pend(IRQ1)
    assert nvic.next_exception() is None
    nvic.set_priority(IRQ1, 0x20)
    assert nvic.next_exception() == IRQ1


def test_subpriority_orders_what_waits() -> None:
    nvic = enabled(IRQ0, IRQ1)
    nvic.prigroup = 5
    nvic.set_priority(IRQ0, 0x60)
    nvic.set_priority(IRQ1, 0x40)
    nvic.pend(IRQ0)
    nvic.pend(IRQ1)
    assert nvic.next_exception() == IRQ1


def test_nothing_configurable_pre_empts_with_all_bits_in_the_subpriority() -> None:
    nvic = enabled(IRQ0, IRQ1)
    nvic.prigroup = 7
    nvic.set_priority(IRQ0, 0xE0)
    nvic.activate(IRQ0)
    nvic.pend(IRQ1)
    assert nvic.next_exception() is None
    nvic.pend(n.NMI)
    assert nvic.next_exception() == n.NMI


@pytest.mark.parametrize(
    ("mask", "value", "taken"),
    [
        ("basepri", 0x40, [n.NMI, n.HARD_FAULT, IRQ0]),
        ("primask", 1, [n.NMI, n.HARD_FAULT]),
        ("faultmask", 1, [n.NMI]),
    ],
)
def test_masks_let_in_only_what_is_more_urgent(mask: str, value: int, taken: list[int]) -> None:
    nvic = enabled(IRQ0, IRQ1, IRQ2)
    for exception, priority in ((IRQ0, 0x20), (IRQ1, 0x40), (IRQ2, 0x60)):
        nvic.set_priority(exception, priority)
    setattr(nvic, mask, value)
    found = []
    for exception in (n.NMI, n.HARD_FAULT, IRQ0, IRQ1, IRQ2):
        nvic.pending = 1 << exception
        if nvic.next_exception() is not None:
            found.append(exception)
    assert found == taken


def test_a_line_that_stays_high_is_pending_again_after_its_handler() -> None:
    nvic = enabled(IRQ0)
    nvic.set_line(0, level=True)
    nvic.activate(IRQ0)
    assert nvic.next_exception() is None
    nvic.deactivate(IRQ0)
    assert nvic.next_exception() == IRQ0


def test_a_line_that_dropped_in_its_handler_is_not_pending_again() -> None:
    nvic = enabled(IRQ0)
    nvic.set_line(0, level=True)
    nvic.activate(IRQ0)
    nvic.set_line(0, level=False)
    nvic.deactivate(IRQ0)
    assert nvic.next_exception() is None


def test_a_pulse_during_the_handler_is_not_lost() -> None:
    nvic = enabled(IRQ0)
    nvic.set_line(0, level=True)
    nvic.activate(IRQ0)
    nvic.set_line(0, level=False)
    nvic.set_line(0, level=True)
    nvic.set_line(0, level=False)
    nvic.deactivate(IRQ0)
    assert nvic.next_exception() == IRQ0


def test_a_pulse_before_the_interrupt_is_taken_stays_pending() -> None:
    nvic = enabled(IRQ0)
    nvic.set_line(0, level=True)
    nvic.set_line(0, level=False)
    assert nvic.next_exception() == IRQ0


def test_clearing_pending_does_not_silence_a_line_that_is_high() -> None:
    nvic = enabled(IRQ0)
    nvic.set_line(0, level=True)
    nvic.unpend(IRQ0)
    assert nvic.next_exception() == IRQ0
    nvic.set_line(0, level=False)
    nvic.unpend(IRQ0)
    assert nvic.next_exception() is None


def test_reset_forgets_everything_but_the_lines() -> None:
    nvic = enabled(IRQ0)
    nvic.set_line(0, level=True)
    nvic.activate(IRQ0)
    nvic.set_priority(IRQ0, 0x20)
    nvic.reset()
    assert (nvic.enabled, nvic.active, nvic.priority[IRQ0]) == (0, 0, 0)
    nvic.enabled = 1 << IRQ0
    assert nvic.next_exception() == IRQ0


def test_primask_does_not_keep_wfi_asleep() -> None:
    nvic = enabled(IRQ0)
    nvic.primask = 1
    nvic.pend(IRQ0)
    assert nvic.wakes()
    assert nvic.next_exception() is None
    assert nvic.primask == 1


def test_basepri_keeps_wfi_asleep() -> None:
    nvic = enabled(IRQ0)
    nvic.set_priority(IRQ0, 0x40)
    nvic.basepri = 0x40
    nvic.pend(IRQ0)
    assert not nvic.wakes()


def test_an_interrupt_of_the_running_handlers_priority_does_not_end_wfi() -> None:
    nvic = enabled(IRQ0, IRQ1)
    nvic.activate(IRQ0)
    nvic.pend(IRQ1)
    assert not nvic.wakes()


def test_hidden_exceptions_are_not_taken() -> None:
    nvic = enabled(IRQ0)
    nvic.pend(IRQ0)
    assert nvic.next_exception(1 << IRQ0) is None
    assert not nvic.wakes(1 << IRQ0)


def test_pending_sends_an_event_only_where_software_asked_for_it() -> None:
    nvic = enabled()
    nvic.pend(IRQ0)
    assert not nvic.event
    nvic.unpend(IRQ0)
    nvic.sev_on_pend = True
    nvic.pend(IRQ0)
    assert nvic.event
    nvic.event = False
    nvic.pend(IRQ0)  # it was pending already
    assert not nvic.event


# -- against the architecture's pseudocode -------------------------------------------------------------------


@dataclass
class Naive:
    """ExecutionPriority() and the choice of the next exception, word for word and without cleverness."""

    active: set[int] = field(default_factory=set)
    pending: set[int] = field(default_factory=set)
    enabled: set[int] = field(default_factory=set)
    priorities: dict[int, int] = field(default_factory=dict)
    prigroup: int = 0
    primask: int = 0
    faultmask: int = 0
    basepri: int = 0

    def priority(self, exception: int) -> int:
        return {n.NMI: -2, n.HARD_FAULT: -1}.get(exception, self.priorities.get(exception, 0))

    def group(self, priority: int) -> int:
        return priority if priority < 0 else priority - priority % (2 << self.prigroup)

    def execution_priority(self) -> int:
        highest = 256
        for exception in self.active:
            if self.priority(exception) < highest:
                highest = self.group(self.priority(exception))
        boosted = 256
        if self.basepri:
            boosted = self.group(self.basepri)
        if self.primask:
            boosted = 0
        if self.faultmask:
            boosted = -1
        return min(boosted, highest)

    def next_exception(self) -> int | None:
        best = None
        for exception in sorted(self.pending):
            if exception >= 16 and exception not in self.enabled:
                continue
            if best is None or self.priority(exception) < self.priority(best):
                best = exception
        if best is not None and self.group(self.priority(best)) < self.execution_priority():
            return best
        return None

    def wakes(self) -> bool:
        kept, self.primask = self.primask, 0
        try:
            return self.next_exception() is not None
        finally:
            self.primask = kept


any_exceptions = st.sets(st.sampled_from([n.NMI, n.HARD_FAULT, *CONFIGURABLE]), max_size=6)
priority_bytes = st.sampled_from([0, 0x20, 0x40, 0x60, 0x80, 0xA0, 0xC0, 0xE0])


@given(
    active=any_exceptions,
    pending=any_exceptions,
    switched_on=any_exceptions,
    priorities=st.dictionaries(st.sampled_from(CONFIGURABLE), priority_bytes),
    prigroup=st.integers(0, 7),
    primask=st.integers(0, 1),
    faultmask=st.integers(0, 1),
    basepri=priority_bytes,
)
def test_the_next_exception_is_the_architectures(
    active: set[int],
    pending: set[int],
    switched_on: set[int],
    priorities: dict[int, int],
    prigroup: int,
    primask: int,
    faultmask: int,
    basepri: int,
) -> None:
    naive = Naive(active, pending, switched_on, priorities, prigroup, primask, faultmask, basepri)
    nvic = Nvic(IRQS, 3)
    nvic.active = sum(1 << e for e in active)
    nvic.pending = sum(1 << e for e in pending)
    nvic.enabled = sum(1 << e for e in switched_on if e >= 16)
    for exception, value in priorities.items():
        nvic.set_priority(exception, value)
    nvic.prigroup, nvic.primask, nvic.faultmask, nvic.basepri = prigroup, primask, faultmask, basepri
    assert nvic.execution_priority() == naive.execution_priority()
    assert nvic.next_exception() == naive.next_exception()
    assert nvic.wakes() == naive.wakes()
    assert nvic.execution_priority() <= LOWEST


@given(st.lists(st.sampled_from(["rise", "fall", "clear", "set", "take", "return"]), max_size=30))
def test_pending_follows_line_and_handler(steps: list[str]) -> None:
    """B3.4.1: pending by a rising edge, by a high line while not active, by software."""
    nvic = enabled(IRQ0)
    line = pending = active = False
    for step in steps:
        if step == "rise":
            pending = pending or not line
            line = True
            nvic.set_line(0, level=True)
        elif step == "fall":
            line = False
            nvic.set_line(0, level=False)
        elif step == "set":
            pending = True
            nvic.pend(IRQ0)
        elif step == "clear":
            pending = pending and line
            nvic.unpend(IRQ0)
        elif step == "take" and nvic.next_exception() is not None:
            assert not active
            pending, active = False, True
            nvic.activate(IRQ0)
        elif step == "return" and active:
            active, pending = False, pending or line
            nvic.deactivate(IRQ0)
        assert bool(nvic.pending >> IRQ0 & 1) == pending
        assert (nvic.next_exception() == IRQ0) == (pending and not active)


@given(st.integers(0, 1 << 80))
def test_bits_are_listed_rising(mask: int) -> None:
    found = n.bits(mask)
    assert found == sorted(found)
    assert sum(1 << k for k in found) == mask
