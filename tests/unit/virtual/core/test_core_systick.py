"""SysTick against a counter that counts one cycle at a time (ARM DDI 0403E, B3.3.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.virtual.silicon.systick import SysTick
from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

ENABLE, TICKINT, CLKSOURCE, COUNTFLAG = 1, 2, 4, 1 << 16


class Bench:
    """A SysTick, its clock, and how often it pended its exception."""

    def __init__(self) -> None:
        self.now = 0
        self.pended = 0
        self.systick = SysTick(lambda: self.now, self._pend)

    def _pend(self) -> None:
        self.pended += 1

    def pass_cycles(self, count: int) -> None:
        self.now += count
        self.systick.update()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_it_counts_from_reload_to_zero_in_reload_plus_one_cycles(bench: Bench) -> None:
    bench.systick.write_reload(9)
    bench.systick.write_control(ENABLE | TICKINT | CLKSOURCE)
    bench.pass_cycles(1)
    assert bench.systick.read_value() == 9
    bench.pass_cycles(8)
    assert (bench.systick.read_value(), bench.pended) == (1, 0)
    bench.pass_cycles(1)
    assert (bench.systick.read_value(), bench.pended) == (0, 1)
    bench.pass_cycles(1)
    assert bench.systick.read_value() == 9


def test_countflag_is_set_at_zero_and_cleared_by_reading(bench: Bench) -> None:
    bench.systick.write_reload(3)
    bench.systick.write_control(ENABLE | CLKSOURCE)
    bench.pass_cycles(3)
    assert not bench.systick.read_control() & COUNTFLAG
    bench.pass_cycles(1)
    assert bench.systick.read_control() == COUNTFLAG | CLKSOURCE | ENABLE
    assert not bench.systick.read_control() & COUNTFLAG


def test_without_tickint_no_exception_is_pended(bench: Bench) -> None:
    bench.systick.write_reload(3)
    bench.systick.write_control(ENABLE | CLKSOURCE)
    bench.pass_cycles(40)
    assert bench.pended == 0
    assert bench.systick.cycles_to_zero() is None


def test_clearing_the_value_clears_countflag_and_pends_nothing(bench: Bench) -> None:
    bench.systick.write_reload(100)
    bench.systick.write_control(ENABLE | TICKINT | CLKSOURCE)
    bench.pass_cycles(101)
    assert bench.pended == 1
    bench.systick.clear_value()
    assert bench.systick.read_value() == 0
    assert not bench.systick.read_control() & COUNTFLAG
    bench.pass_cycles(1)
    assert (bench.systick.read_value(), bench.pended) == (100, 1)


def test_a_smaller_reload_leaves_the_count_under_way_alone(bench: Bench) -> None:
    bench.systick.write_reload(1000)
    bench.systick.write_control(ENABLE | CLKSOURCE)
    bench.pass_cycles(1)
    bench.systick.write_reload(10)
    bench.pass_cycles(100)
    assert bench.systick.read_value() == 900


def test_the_external_clock_is_refused(bench: Bench) -> None:
    with pytest.raises(NotModelled, match="CLKSOURCE"):
        bench.systick.write_control(ENABLE)


def test_reset_stops_it(bench: Bench) -> None:
    bench.systick.write_reload(5)
    bench.systick.write_control(ENABLE | TICKINT | CLKSOURCE)
    bench.systick.reset()
    bench.pass_cycles(100)
    assert bench.pended == 0


class Naive:
    """One cycle at a time."""

    def __init__(self) -> None:
        self.control = CLKSOURCE
        self.reload = self.value = 0
        self.flag = False
        self.pended = False

    def cycle(self) -> None:
        if not self.control & ENABLE:
            return
        if self.value == 0:
            self.value = self.reload
            return
        self.value -= 1
        if self.value == 0:
            self.flag = True
            self.pended = self.pended or bool(self.control & TICKINT)


small = st.integers(0, 12)
steps = st.one_of(
    st.tuples(st.just("cycles"), st.integers(0, 40)),
    st.tuples(st.just("reload"), small),
    st.tuples(
        st.just("control"), st.sampled_from([CLKSOURCE, CLKSOURCE | ENABLE, CLKSOURCE | ENABLE | TICKINT])
    ),
    st.tuples(st.just("clear"), st.just(0)),
    st.tuples(st.just("read control"), st.just(0)),
)


@given(st.lists(steps, max_size=25))
def test_any_use_gives_what_counting_cycle_by_cycle_gives(sequence: list[tuple[str, int]]) -> None:
    bench, naive = Bench(), Naive()
    systick = bench.systick
    systick.write_control(CLKSOURCE)
    for step, number in sequence:
        before = bench.pended
        naive.pended = False
        if step == "cycles":
            bench.pass_cycles(number)
            for _ in range(number):
                naive.cycle()
        elif step == "reload":
            systick.write_reload(number)
            naive.reload = number
        elif step == "control":
            systick.write_control(number)
            naive.control = number
        elif step == "clear":
            systick.clear_value()
            naive.value, naive.flag = 0, False
        else:
            assert bool(systick.read_control() & COUNTFLAG) == naive.flag
            naive.flag = False
        assert systick.read_value() == naive.value
        assert (bench.pended > before) == naive.pended


@given(reload=st.integers(1, 50), passed=st.integers(0, 200))
def test_cycles_to_zero_is_when_the_exception_comes(reload: int, passed: int) -> None:
    bench = Bench()
    bench.systick.write_reload(reload)
    bench.systick.write_control(ENABLE | TICKINT | CLKSOURCE)
    bench.pass_cycles(passed)
    pended, due = bench.pended, bench.systick.cycles_to_zero()
    assert due is not None
    bench.pass_cycles(due - 1)
    assert bench.pended == pended
    bench.pass_cycles(1)
    assert bench.pended == pended + 1
