"""The memory protection unit's rules (ARM DDI 0403E, B3.5)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.virtual.silicon.mpu import READ, WRITE, Mpu, default_execute_never

RAM = 0x2000_0000
ENABLE, HARD_FAULT_NMI, DEFAULT_MAP = 1, 2, 4
NONE, READ_ONLY, BOTH = 0, READ, READ | WRITE


def region(
    mpu: Mpu, number: int, base: int, log2: int, *, ap: int = 3, xn: int = 0, disabled: int = 0
) -> None:
    mpu.write_base(base | 0x10 | number)
    mpu.write_attributes(xn << 28 | ap << 24 | disabled << 8 | (log2 - 1) << 1 | 1)


@pytest.fixture
def mpu() -> Mpu:
    unit = Mpu()
    unit.write_control(ENABLE)
    return unit


@pytest.mark.parametrize(
    ("ap", "privileged", "unprivileged"),
    [
        (0, NONE, NONE),
        (1, BOTH, NONE),
        (2, BOTH, READ_ONLY),
        (3, BOTH, BOTH),
        (5, READ_ONLY, NONE),
        (6, READ_ONLY, READ_ONLY),
        (7, READ_ONLY, READ_ONLY),
    ],
)
def test_access_permissions_follow_the_table(mpu: Mpu, ap: int, privileged: int, unprivileged: int) -> None:
    region(mpu, 0, RAM, 8, ap=ap)
    assert mpu.rights(RAM, privileged=True) == (privileged, privileged != NONE)
    assert mpu.rights(RAM, privileged=False) == (unprivileged, unprivileged != NONE)


def test_execute_never_takes_only_the_right_to_execute(mpu: Mpu) -> None:
    region(mpu, 0, RAM, 8, xn=1)
    assert mpu.rights(RAM, privileged=False) == (BOTH, False)


def test_the_region_of_the_highest_number_wins(mpu: Mpu) -> None:
    region(mpu, 1, RAM, 12, ap=3)
    region(mpu, 5, RAM + 0x400, 8, ap=0)
    region(mpu, 3, RAM + 0x400, 8, ap=6)
    assert mpu.rights(RAM + 0x3FF, privileged=True)[0] == BOTH
    assert mpu.rights(RAM + 0x400, privileged=True)[0] == NONE
    assert mpu.rights(RAM + 0x500, privileged=True)[0] == BOTH


def test_a_disabled_subregion_shows_what_lies_beneath(mpu: Mpu) -> None:
    region(mpu, 0, RAM, 12, ap=6)
    region(mpu, 1, RAM, 11, ap=3, disabled=0b0000_0101)
    found = [mpu.rights(RAM + 0x100 * k, privileged=True)[0] for k in range(9)]
    assert found == [READ_ONLY, BOTH, READ_ONLY, BOTH, BOTH, BOTH, BOTH, BOTH, READ_ONLY]


def test_subregions_of_small_regions_are_ignored(mpu: Mpu) -> None:
    region(mpu, 0, RAM, 7, ap=3, disabled=0xFF)
    assert mpu.rights(RAM + 0x40, privileged=True)[0] == BOTH


def test_a_base_is_cut_to_its_regions_size(mpu: Mpu) -> None:
    region(mpu, 0, RAM + 0x140, 8)
    assert mpu.rights(RAM + 0x100, privileged=True)[0] == BOTH
    assert mpu.rights(RAM + 0xFF, privileged=True)[0] == NONE


def test_without_a_region_nothing_is_allowed(mpu: Mpu) -> None:
    assert mpu.rights(RAM, privileged=True) == (NONE, False)


def test_the_default_map_serves_only_privileged_code(mpu: Mpu) -> None:
    mpu.write_control(ENABLE | DEFAULT_MAP)
    assert mpu.rights(RAM, privileged=True) == (BOTH, True)
    assert mpu.rights(0x4000_0000, privileged=True) == (BOTH, False)
    assert mpu.rights(RAM, privileged=False) == (NONE, False)


def test_a_disabled_region_counts_for_nothing(mpu: Mpu) -> None:
    region(mpu, 0, RAM, 8)
    mpu.write_attributes(mpu.read_attributes() & ~1)
    assert mpu.rights(RAM, privileged=True) == (NONE, False)


def test_the_private_peripheral_bus_is_out_of_reach(mpu: Mpu) -> None:
    region(mpu, 0, 0xE000_0000, 20, ap=0)
    assert mpu.rights(0xE000_ED00, privileged=True) == (BOTH, False)


@pytest.mark.parametrize(
    ("control", "priority", "applies"),
    [
        (0, 256, False),
        (1, 256, True),
        (1, 0, True),
        (1, -1, False),
        (1, -2, False),
        (3, -1, True),
        (2, 0, False),
    ],
)
def test_fault_handlers_run_without_it_unless_asked_for(control: int, priority: int, applies: bool) -> None:
    mpu = Mpu()
    mpu.write_control(control)
    assert mpu.applies(priority) is applies


def test_registers_read_back_what_the_architecture_keeps(mpu: Mpu) -> None:
    mpu.write_base(0x2000_0135)
    assert mpu.number == 5
    assert mpu.read_base() == 0x2000_0125  # VALID reads as zero
    mpu.write_attributes(0xFFFF_FFFF)
    assert mpu.read_attributes() == 0x173F_FF3F
    mpu.number = 4
    assert mpu.read_attributes() == 0


def test_reset_switches_it_off_and_disables_the_regions(mpu: Mpu) -> None:
    region(mpu, 0, RAM, 8)
    mpu.reset()
    assert not mpu.enabled
    mpu.write_control(ENABLE)
    assert mpu.rights(RAM, privileged=True) == (NONE, False)


def test_rights_depend_on_privilege_only_where_a_region_says_so(mpu: Mpu) -> None:
    region(mpu, 0, RAM, 8, ap=3)
    assert not mpu.by_privilege
    region(mpu, 1, RAM, 8, ap=1)
    assert mpu.by_privilege
    mpu.reset()
    assert not mpu.by_privilege


@pytest.mark.parametrize(
    ("address", "never"),
    [
        (0, False),
        (0x1FFF_FFFF, False),
        (RAM, False),
        (0x4000_0000, True),
        (0x5FFF_FFFF, True),
        (0x6000_0000, False),
        (0x9FFF_FFFF, False),
        (0xA000_0000, True),
        (0xE000_0000, True),
    ],
)
def test_the_default_map_executes_from_code_and_memory_only(address: int, never: bool) -> None:
    assert default_execute_never(address) is never


# -- random regions ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    number: int
    offset: int
    log2: int
    ap: int
    xn: int
    disabled: int


settings = st.builds(
    Setting,
    number=st.integers(0, 7),
    offset=st.integers(0, 127).map(lambda k: k * 32),
    log2=st.integers(5, 12),
    ap=st.sampled_from([0, 1, 2, 3, 5, 6]),
    xn=st.integers(0, 1),
    disabled=st.integers(0, 255),
)


def naive_rights(
    chosen: dict[int, Setting], address: int, *, privileged: bool, default_map: bool
) -> tuple[int, bool]:
    """Region by region, as B3.5.1 words it."""
    table = {0: "-- --", 1: "rw --", 2: "rw r-", 3: "rw rw", 5: "r- --", 6: "r- r-"}
    for number in (7, 6, 5, 4, 3, 2, 1, 0):
        if number not in chosen:
            continue
        setting = chosen[number]
        size = 2**setting.log2
        base = (RAM + setting.offset) // size * size
        if not base <= address <= base + size - 1:
            continue
        if size >= 256 and setting.disabled & 2 ** ((address - base) // (size // 8)):
            continue
        letters = table[setting.ap].split()[0 if privileged else 1]
        data = (READ if "r" in letters else 0) | (WRITE if "w" in letters else 0)
        return data, "r" in letters and not setting.xn
    return (BOTH, True) if privileged and default_map else (NONE, False)


@given(
    st.lists(settings, max_size=8),
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(-64, 8192), max_size=40),
)
def test_random_regions_give_the_rights_of_the_naive_search(
    chosen: list[Setting], privileged: bool, default_map: bool, offsets: list[int]
) -> None:
    mpu, kept = Mpu(), {}
    mpu.write_control(ENABLE | (DEFAULT_MAP if default_map else 0))
    for s in chosen:
        region(mpu, s.number, RAM + s.offset, s.log2, ap=s.ap, xn=s.xn, disabled=s.disabled)
        kept[s.number] = s
    for offset in offsets:
        expected = naive_rights(kept, RAM + offset, privileged=privileged, default_map=default_map)
        assert mpu.rights(RAM + offset, privileged=privileged) == expected


@given(st.lists(settings, min_size=1, max_size=8), st.booleans(), st.booleans())
def test_rights_are_constant_between_boundaries(
    chosen: list[Setting], privileged: bool, default_map: bool
) -> None:
    mpu = Mpu()
    mpu.write_control(ENABLE | (DEFAULT_MAP if default_map else 0))
    for s in chosen:
        region(mpu, s.number, RAM + s.offset, s.log2, ap=s.ap, xn=s.xn, disabled=s.disabled)
    edges = mpu.boundaries()
    assert edges == sorted(set(edges))
    for first, last in zip([RAM - 64, *edges], [*edges, RAM + 8192], strict=True):
        steps = range(first, last, 16)  # no edge lies between two of them: the smallest part is 32 bytes
        assert len({mpu.rights(at, privileged=privileged) for at in steps}) <= 1
