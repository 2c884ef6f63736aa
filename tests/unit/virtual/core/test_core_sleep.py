"""WFI, WFE and what ends them (ARM DDI 0403E, B1.5.18 and B1.5.19)."""

from __future__ import annotations

import pytest
from core_rig import CYCCNT, DWT_CTRL, MAIN, PC, SCR, TICKS_PER_CYCLE, CoreRig, program

from pytest_lan_hil.virtual.silicon.core import Stop


@pytest.fixture
def rig() -> CoreRig:
    return CoreRig()


IRQ0, IRQ1 = 16, 17
SLEEPONEXIT, SEVONPEND = 2, 16
WFI = program("wfi; movs r4, #1; b .", "30bf0124fee7")
WFE = program("wfe; movs r4, #1; b .", "20bf0124fee7")
COUNT = program("adds r5, #1; bx lr", "01357047")


def test_wfi_sleeps_until_an_interrupt_and_returns_behind_itself(rig: CoreRig) -> None:
    rig.boot(WFI, {IRQ0: COUNT})
    rig.enable(0)
    rig.timeline.schedule(4000, lambda: rig.pend(0))
    rig.run(500)
    assert rig.core.sleeping
    assert rig.regs(4, 5) == [0, 0]
    rig.run(1000)
    assert not rig.core.sleeping
    assert rig.regs(4, 5) == [1, 1]
    assert rig.listener.calls == [(1 * TICKS_PER_CYCLE, "sleep"), (4000, "wake")]


def test_the_cycle_counter_stands_still_asleep(rig: CoreRig) -> None:
    rig.boot(WFI)
    rig.poke(DWT_CTRL, 1)
    rig.run(1000)
    assert rig.word(CYCCNT) == 1
    assert rig.timeline.now == 1000 * TICKS_PER_CYCLE


def test_wfi_with_primask_wakes_without_taking_the_interrupt(rig: CoreRig) -> None:
    rig.boot(program("cpsid i; wfi; movs r4, #1; b .", "72b630bf0124fee7"), {IRQ0: COUNT})
    rig.enable(0)
    rig.timeline.schedule(4000, lambda: rig.pend(0))
    rig.run(2000)
    assert rig.regs(4, 5) == [1, 0]
    assert rig.listener.names == ["sleep", "wake"]


def test_wfi_does_not_sleep_while_an_interrupt_waits_behind_primask(rig: CoreRig) -> None:
    rig.boot(
        program(
            "cpsid i; ldr r0, =0xe000e200; movs r1, #1; str r1, [r0]; wfi; movs r4, #1; b .",
            "72b603480121016030bf0124fee7000000e200e0",
        )
    )
    rig.enable(0)
    rig.run()
    assert rig.reg(4) == 1
    assert rig.listener.names == []


def test_wfi_sleeps_on_over_an_interrupt_that_basepri_masks(rig: CoreRig) -> None:
    rig.boot(
        program("movs r0, #0x40; msr BASEPRI, r0; wfi; movs r4, #1; b .", "402080f3118830bf0124fee7"),
        {IRQ0: COUNT},
    )
    rig.enable(0)
    rig.priority(IRQ0, 0x60)
    rig.timeline.schedule(4000, lambda: rig.pend(0))
    rig.run(2000)
    assert rig.core.sleeping


def test_a_disabled_interrupt_does_not_end_wfi(rig: CoreRig) -> None:
    rig.boot(WFI, {IRQ0: COUNT})
    rig.timeline.schedule(4000, lambda: rig.pend(0))
    rig.run(2000)
    assert rig.core.sleeping


def test_events_run_while_the_core_sleeps(rig: CoreRig) -> None:
    rig.boot(WFI)
    seen: list[int] = []
    for at in (100, 5000, 7777):
        rig.timeline.schedule(at, lambda: seen.append(rig.timeline.now))
    assert rig.run(2000) is Stop.DEADLINE
    assert seen == [100, 5000, 7777]


def test_wfe_without_an_event_sleeps(rig: CoreRig) -> None:
    rig.boot(WFE).run()
    assert rig.core.sleeping
    assert rig.reg(4) == 0


def test_wfe_after_sev_goes_on_once(rig: CoreRig) -> None:
    rig.boot(program("sev; wfe; movs r4, #1; wfe; movs r4, #2; b .", "40bf20bf012420bf0224fee7")).run()
    assert rig.core.sleeping
    assert rig.reg(4) == 1


def test_an_interrupt_is_an_event(rig: CoreRig) -> None:
    rig.boot(program("1: wfe; adds r4, #1; b 1b", "20bf0134fce7"), {IRQ0: COUNT})
    rig.enable(0)
    rig.timeline.schedule(4000, lambda: rig.pend(0))
    rig.run(2000)
    # woken by the interrupt, and once more by the event of its return
    assert rig.regs(4, 5) == [2, 1]
    assert rig.core.sleeping


def test_an_interrupt_before_wfe_is_remembered(rig: CoreRig) -> None:
    rig.boot(program("nop; isb; wfe; movs r4, #1; b .", "00bfbff36f8f20bf0124fee7"), {IRQ0: COUNT})
    rig.enable(0)
    rig.pend(0)
    rig.run()
    assert rig.regs(4, 5) == [1, 1]


@pytest.mark.parametrize(("scr", "woken"), [(SEVONPEND, True), (0, False)])
def test_a_disabled_interrupt_wakes_wfe_only_with_sevonpend(rig: CoreRig, scr: int, woken: bool) -> None:
    rig.boot(WFE)
    rig.poke(SCR, scr)
    rig.timeline.schedule(4000, lambda: rig.pend(0))
    rig.run(2000)
    assert (rig.reg(4) == 1) is woken


def test_only_the_moment_of_pending_is_an_event(rig: CoreRig) -> None:
    rig.boot(program("wfe; adds r4, #1; wfe; adds r4, #1; b .", "20bf013420bf0134fee7"))
    rig.poke(SCR, SEVONPEND)
    rig.timeline.schedule(4000, lambda: rig.pend(0))
    rig.run(2000)
    assert rig.reg(4) == 1
    assert rig.core.sleeping


def test_sleep_on_exit_sleeps_after_the_handler_and_again(rig: CoreRig) -> None:
    rig.boot(program("movs r4, #1; b .", "0124fee7"), {IRQ0: COUNT})
    rig.poke(SCR, SLEEPONEXIT)
    rig.enable(0)
    for at in (400, 4000, 8000):
        rig.timeline.schedule(at, lambda: rig.pend(0))
    rig.run(4000)
    assert rig.reg(5) == 3
    assert rig.core.sleeping
    assert rig.listener.names == ["sleep", "wake", "sleep", "wake", "sleep"]


def test_clearing_sleep_on_exit_in_the_handler_lets_the_thread_go_on(rig: CoreRig) -> None:
    clear = program(
        "adds r5, #1; cmp r5, #2; bne 1f; ldr r0, =0xe000ed10; movs r1, #0; str r1, [r0]; 1: bx lr",
        "0135022d02d10248002101607047000010ed00e0",
    )
    rig.boot(program("1: adds r4, #1; b 1b", "0134fde7"), {IRQ0: clear})
    rig.poke(SCR, SLEEPONEXIT)
    rig.enable(0)
    for at in (400, 4000):
        rig.timeline.schedule(at, lambda: rig.pend(0))
    rig.run(4000)
    assert not rig.core.sleeping
    assert rig.listener.names == ["sleep", "wake"]


def test_a_halt_ends_sleep(rig: CoreRig) -> None:
    rig.boot(WFI).run()
    rig.halt()
    rig.run_to_halt()
    assert not rig.core.sleeping
    assert rig.listener.names == ["sleep", "wake"]
    assert rig.reg(PC) == MAIN + 2


def test_wfi_in_a_condition_that_fails_is_passed(rig: CoreRig) -> None:
    rig.boot(
        program("movs r0, #1; cmp r0, #0; it eq; wfieq; movs r4, #1; b .", "0120002808bf30bf0124fee7")
    ).run()
    assert rig.reg(4) == 1


def test_yield_is_nothing(rig: CoreRig) -> None:
    rig.boot(program("yield; movs r4, #1; b .", "10bf0124fee7")).run()
    assert rig.reg(4) == 1
    assert rig.listener.names == []
