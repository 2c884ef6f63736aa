"""Cycles of single instructions and neighbours (Cortex-M4 TRM, 3.3), and their sum however code is cut."""

from __future__ import annotations

import numpy as np
import pytest
from core_rig import program
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon.blocks import BlockTable, FlashTiming
from pytest_lan_hil.virtual.silicon.cycles import FP_DIVIDE_BUSY, analyse, cost, refill
from pytest_lan_hil.virtual.silicon.decode import decode_block

SINGLE = [
    (program("movs r0, #1", "0120"), 1),
    (program("add r0, r1, r2", "01eb0200"), 1),
    (program("mul r0, r1, r2", "01fb02f0"), 1),
    (program("mla r0, r1, r2, r3", "01fb0230"), 1),
    (program("umull r0, r1, r2, r3", "a2fb0301"), 1),
    (program("smlal r0, r1, r2, r3", "c2fb0301"), 1),
    (program("smlad r0, r1, r2, r3", "21fb0230"), 1),
    (program("clz r0, r1", "b1fa81f0"), 1),
    (program("bfi r0, r1, #2, #3", "61f38400"), 1),
    (program("cmp r0, r1", "8842"), 1),
    (program("nop", "00bf"), 1),
    (program("sdiv r0, r1, r2", "91fbf2f0"), 7),
    (program("ldr r0, [r1]", "0868"), 2),
    (program("ldrsh r0, [r1, #-4]", "31f9040c"), 2),
    (program("ldr r0, [r1, r2, lsl #2]", "51f82200"), 2),
    (program("ldr r0, [r1], #4", "51f8040b"), 2),
    (program("ldrd r0, r1, [r2]", "d2e90001"), 3),
    (program("strd r0, r1, [r2, #8]", "c2e90201"), 3),
    (program("str r0, [r1, #4]", "4860"), 1),
    (program("strb r0, [r1], #-1", "01f80109"), 1),
    (program("str r0, [r1, r2]", "8850"), 2),
    (program("ldm r0!, {r1, r2, r3}", "0ec8"), 4),
    (program("stm r0!, {r1, r2, r3, r4}", "1ec0"), 5),
    (program("push {r4, lr}", "10b5"), 3),
    (program("pop {r4}", "10bc"), 2),
    (program("mrs r0, PRIMASK", "eff31080"), 2),
    (program("msr BASEPRI, r0", "80f31188"), 2),
    (program("cpsid i", "72b6"), 1),
    (program("ldrex r0, [r1]", "51e8000f"), 2),
    (program("strex r0, r1, [r2]", "42e80010"), 2),
    (program("vadd.f32 s0, s1, s2", "30ee810a"), 1),
    (program("vmul.f32 s0, s1, s2", "20ee810a"), 1),
    (program("vabs.f32 s0, s1", "b0eee00a"), 1),
    (program("vcmp.f32 s0, s1", "b4ee600a"), 1),
    (program("vcvt.f32.s32 s0, s1", "b8eee00a"), 1),
    (program("vmov.f32 s0, #1.0", "b7ee000a"), 1),
    (program("vmrs APSR_nzcv, FPSCR", "f1ee10fa"), 1),
    (program("vfma.f32 s0, s1, s2", "a0ee810a"), 3),
    (program("vmla.f32 s0, s1, s2", "00ee810a"), 3),
    (program("vmov s0, r0", "00ee100a"), 2),
    (program("vmov r0, r1, d0", "51ec100b"), 2),
    (program("vldr s0, [r0]", "90ed000a"), 2),
    (program("vldr d0, [r0, #8]", "90ed020b"), 3),
    (program("vstr s0, [r0, #-8]", "00ed020a"), 1),
    (program("vstr d0, [r0]", "80ed000b"), 3),
    (program("vldmia r0!, {s0-s3}", "b0ec040a"), 5),
    (program("vpush {d8-d9}", "2ded048b"), 5),
]
BRANCHES = [
    (program("b .", "fee7"), 1, 1),
    (program("beq .", "fed0"), 1, 1),
    (program("bl .", "fff7feff"), 1, 1),
    (program("cbz r0, .+4", "00b1"), 1, 1),
    (program("bx lr", "7047"), 1, 2),
    (program("blx r0", "8047"), 1, 2),
    (program("mov pc, r0", "8746"), 1, 2),
    (program("ldr pc, [r0]", "d0f800f0"), 2, 3),
    (program("pop {r4, pc}", "10bd"), 3, 3),
    (program("tbb [pc, r0]", "dfe800f0"), 3, 3),
]
NEIGHBOURS = [
    ("two loads overlap", program("ldr r0, [r1]; ldr r2, [r3]", "08681a68"), 3),
    ("three loads overlap", program("ldr r0, [r1]; ldr r2, [r1]; ldr r3, [r1]", "08680a680b68"), 4),
    ("a load to its neighbour's base does not", program("ldr r1, [r1]; ldr r2, [r1]", "09680a68"), 4),
    ("a store with an index overlaps with a load", program("ldr r0, [r1]; str r2, [r3, r4]", "08681a51"), 3),
    ("a store with an offset is as short already", program("ldr r0, [r1]; str r2, [r3, #4]", "08685a60"), 3),
    ("using a loaded value costs nothing more", program("ldr r0, [r1]; adds r2, r0, #1", "0868421c"), 3),
    ("an address just computed comes late", program("adds r1, r1, #4; ldr r0, [r1]", "04310868"), 4),
    (
        "an address computed before that does not",
        program("adds r1, r1, #4; nop; ldr r0, [r1]", "043100bf0868"),
        4,
    ),
    ("a value just computed can be stored", program("adds r0, r0, #1; str r0, [r1]", "01300860"), 2),
    (
        "a floating-point sum comes late",
        program("vadd.f32 s0, s1, s2; vadd.f32 s3, s0, s1", "30ee810a70ee201a"),
        3,
    ),
    ("another sum does not wait", program("vadd.f32 s0, s1, s2; vadd.f32 s3, s4, s1", "30ee810a72ee201a"), 2),
    ("an addend may come late", program("vmul.f32 s0, s1, s2; vfma.f32 s0, s3, s4", "20ee810aa1ee820a"), 4),
    ("a factor may not", program("vmul.f32 s0, s1, s2; vfma.f32 s3, s0, s4", "20ee810ae0ee021a"), 5),
    (
        "an absolute value does not come late",
        program("vabs.f32 s0, s1; vadd.f32 s3, s0, s1", "b0eee00a70ee201a"),
        2,
    ),
    ("IT folds onto a narrow instruction", program("cmp r0, r1; it eq; moveq r0, r1", "884208bf0846"), 2),
    ("IT does not fold onto a wide one", program("cmp.w r0, r1; it eq; moveq r0, r1", "b0eb010f08bf0846"), 3),
]


@pytest.mark.parametrize(("code", "cycles"), SINGLE)
def test_single_instructions_cost_what_the_manual_says(code: bytes, cycles: int) -> None:
    (instruction,) = decode_block(code, 0)
    assert cost(instruction) == cycles
    assert analyse(code, 0).cost == cycles


@pytest.mark.parametrize(("code", "cycles", "taken"), BRANCHES)
def test_a_branch_costs_its_refill_only_when_taken(code: bytes, cycles: int, taken: int) -> None:
    instruction = decode_block(code, 0)[0]
    assert cost(instruction) == cycles
    assert refill(instruction) == taken


@pytest.mark.parametrize(
    ("code", "cycles"), [row[1:] for row in NEIGHBOURS], ids=[row[0] for row in NEIGHBOURS]
)
def test_neighbours(code: bytes, cycles: int) -> None:
    assert analyse(code, 0).cost == cycles


def test_integer_code_goes_on_while_a_division_runs() -> None:
    divide = program("vdiv.f32 s0, s1, s2; vadd.f32 s3, s4, s5", "80ee810a72ee221a")
    meanwhile = program(
        "vdiv.f32 s0, s1, s2; nop; nop; nop; vadd.f32 s3, s4, s5", "80ee810a00bf00bf00bf72ee221a"
    )
    assert analyse(divide, 0).cost == 1 + FP_DIVIDE_BUSY + 1
    assert analyse(meanwhile, 0).cost == analyse(divide, 0).cost


def test_cycles_before_each_instruction_add_up() -> None:
    code = program("movs r0, #1; ldr r1, [r2]; ldr r3, [r2]; str r0, [r2, #8]; nop", "012011681368906000bf")
    timing = analyse(code, 0x100)
    assert timing.before == {0x100: 0, 0x102: 1, 0x104: 3, 0x106: 4, 0x108: 5}
    assert timing.cost == 6


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (program("ldrb r0, [r1, #3]", "c878"), [(0x103, 1, False)]),
        (program("ldrsh r0, [r1, r2, lsl #1]", "31f91200"), [(0x120, 2, False)]),
        (program("str r0, [r1], #4", "41f8040b"), [(0x100, 4, True)]),
        (program("str r0, [r1, #-4]!", "41f8040d"), [(0xFC, 4, True)]),
        (program("ldrd r0, r3, [r1, #8]", "d1e90203"), [(0x108, 8, False)]),
        (program("stmdb r1!, {r0, r2, r3}", "21e90d00"), [(0xF4, 12, True)]),
        (program("ldm r1, {r0, r2}", "91e80500"), [(0x100, 8, False)]),
        (program("push {r0, lr}", "01b5"), [(0x1F8, 8, True)]),
        (program("vpush {d8}", "2ded028b"), [(0x1F8, 8, True)]),
        (program("vldr d0, [r1, #-8]", "11ed020b"), [(0xF8, 8, False)]),
        (program("vstr s0, [r1, #4]", "81ed010a"), [(0x104, 4, True)]),
        (program("ldr r0, [pc, #4]", "0148"), [(0x1008, 4, False)]),
        (program("strexb r0, r2, [r1]", "c1e8402f"), [(0x100, 1, True)]),
        (program("nop", "00bf"), []),
    ],
)
def test_memory_accesses_are_foreseen(code: bytes, expected: list[tuple[int, int, bool]]) -> None:
    registers = [0, 0x100, 0x10, *[0] * 10, 0x200, 0, 0]
    found = [
        (op.operand.address(registers, op.pc), op.size, op.write) for op in analyse(code, 0x1002).memory_ops
    ]
    assert found == expected


def test_what_is_no_instruction_is_named_so() -> None:
    (instruction,) = decode_block(bytes.fromhex("00deff"), 0)[:1]
    assert instruction.name == "udf"
    assert decode_block(bytes.fromhex("00ec000a"), 0)[0].name == "undefined"


def test_conditions_reach_as_far_as_their_it_block() -> None:
    code = program(
        "itte eq; moveq r0, #1; addeq r0, r0, #1; movne r0, #2; movs r1, #1", "06bf0120013002200121"
    )
    assert [i.conditional for i in decode_block(code, 0)] == [False, True, True, True, False]


# -- straight-line code cut into blocks ----------------------------------------------------------------------

NO_FLASH = FlashTiming(base=0, size=0x1000, wait_states=0, width_log2=3, line_log2=4, ways=1, sets=1)
ANYTHING = [row[0] for row in SINGLE]
TRICKY = [
    program("nop", "00bf"),
    program("ldr r2, [r3]", "1a68"),
    program("cmp r0, r1", "8842"),
    program("vdiv.f32 s0, s1, s2", "80ee810a"),
    program("vdiv.f32 s3, s0, s2", "c0ee011a"),
    program("vadd.f32 s1, s0, s2", "70ee010a"),
    program("adds r1, r1, #4", "0431"),
    program("ldr r1, [r1]", "0968"),
    program("ldr r0, [r3, r1]", "5858"),
    program("str r2, [r1, r0]", "0a50"),
    program("it eq; moveq r0, r1", "08bf0846"),
    program("it ne; ldrne r2, [r0]", "18bf0268"),
]


def charge(table: BlockTable, address: int, code: bytes) -> None:
    """Have the hook charge one block, as the core does when it meets it."""
    reason = h.enter_block(table.state, address, len(code))
    if reason == h.STOP_NEW_BLOCK:
        table.add(code, address, registers=lambda: [0] * 16, fetch_flags=0)
        reason = h.enter_block(table.state, address, len(code))
    assert reason == h.STOP_NONE


def fresh(flash: FlashTiming = NO_FLASH) -> BlockTable:
    table = BlockTable(flash)
    table.state[h.DEADLINE] = np.iinfo(np.int64).max
    return table


TABLE = fresh()


@settings(deadline=None, max_examples=300)  # the first call compiles the hook
@given(
    st.lists(st.sampled_from(TRICKY) | st.sampled_from(TRICKY + ANYTHING), min_size=1, max_size=12), st.data()
)
def test_cutting_straight_line_code_changes_no_cycle(pieces: list[bytes], data: st.DataObject) -> None:
    code = b"".join(pieces)
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    cuts = sorted(data.draw(st.sets(st.sampled_from(ends))) | {len(code)})
    TABLE.clear()
    for scalar in (h.CYCLES, h.FP_BUSY, h.SETTLED):
        TABLE.state[scalar] = 0
    start = 0
    for end in cuts:
        charge(TABLE, 0x100 + start, code[start:end])
        start = end
    whole = analyse(code, 0x100)
    assert (TABLE.state[h.CYCLES], TABLE.state[h.FP_BUSY]) == (whole.cost, whole.fp_busy)


def test_a_taken_branch_is_charged_its_refill_and_a_misaligned_target() -> None:
    table = fresh()
    charge(table, 0x100, program("b .", "fee7"))
    charge(table, 0x200, program("movs r0, #1", "0120"))
    assert table.state[h.CYCLES] == 1 + 1 + 1
    charge(table, 0x202, program("b .", "fee7"))
    charge(table, 0x302, program("add.w r0, r1, r2", "01eb0200"))
    assert table.state[h.CYCLES] == 3 + 1 + 1 + 1 + 1


def test_a_branch_not_taken_is_charged_one_cycle() -> None:
    table = fresh()
    charge(table, 0x100, program("beq .", "fed0"))
    charge(table, 0x102, program("movs r0, #1", "0120"))
    assert table.state[h.CYCLES] == 2


def test_the_hook_stops_at_the_deadline_and_charges_the_edge_once() -> None:
    table = fresh()
    code, target = program("b .", "fee7"), program("movs r0, #1", "0120")
    charge(table, 0x100, code)
    charge(table, 0x200, target)
    table.state[h.DEADLINE] = 3
    assert h.enter_block(table.state, 0x200, 2) == h.STOP_DEADLINE
    assert h.enter_block(table.state, 0x200, 2) == h.STOP_DEADLINE
    table.state[h.DEADLINE] = 100
    charge(table, 0x200, target)
    assert table.state[h.CYCLES] == 3 + 1 + 1  # the refill after `movs`, which no branch follows, then itself


def test_changed_code_is_decoded_anew() -> None:
    table = fresh()
    charge(table, 0x100, program("movs r0, #1", "0120"))
    assert table.forget(0x101, 1)
    assert h.enter_block(table.state, 0x100, 2) == h.STOP_NEW_BLOCK
    assert not table.forget(0x800, 4)


def test_a_full_table_starts_anew() -> None:
    table = fresh()
    nop = program("nop", "00bf")
    for k in range(h.MAX_BLOCKS + 5):
        table.add(nop, 2 * k, registers=lambda: [0] * 16, fetch_flags=0)
    assert h.enter_block(table.state, 0, 2) == h.STOP_NEW_BLOCK
    assert h.enter_block(table.state, 2 * (h.MAX_BLOCKS + 4), 2) == h.STOP_NONE


# -- flash ---------------------------------------------------------------------------------------------------

WAITING = FlashTiming(base=0, size=0x1_0000, wait_states=2, width_log2=3, line_log2=4, ways=2, sets=2)
EIGHT = program("nop; nop; nop; nop", "00bf00bf00bf00bf")


def test_without_a_cache_each_fetch_of_the_flash_waits() -> None:
    table = fresh(WAITING)
    for k in range(4):
        charge(table, 8 * k, EIGHT)
    assert table.state[h.CYCLES] == 4 * (4 + 2)


def test_two_blocks_in_one_fetch_wait_once() -> None:
    table = fresh(WAITING)
    nop = program("nop", "00bf")
    for k in range(8):
        charge(table, 2 * k, nop)
    assert table.state[h.CYCLES] == 8 + 2 * 2


def test_with_a_cache_a_loop_that_fits_misses_only_at_first() -> None:
    table = fresh(WAITING)
    table.cache_on()
    first = None
    for _ in range(10):
        before = int(table.state[h.CYCLES])
        for k in range(4):
            charge(table, 16 * k, EIGHT)
        first = first or int(table.state[h.CYCLES]) - before
    last = int(table.state[h.CYCLES]) - before
    assert first - last == 4 * 4 - 1  # four lines of two fetches; the first entry came by no branch
    assert (table.state[h.ICACHE_MISSES], table.state[h.ICACHE_HITS]) == (4, 36)


def test_the_line_that_was_used_longest_ago_goes() -> None:
    table = fresh(WAITING)
    table.cache_on()
    way, nop = 32, program("nop", "00bf")  # lines of one set lie 32 bytes apart: two sets of 16 bytes
    for line in (0, 1, 0, 2, 0, 1):
        charge(table, way * line, nop)
    # 0 and 1 miss, 0 hits, 2 takes the place of 1, 0 hits, 1 misses
    assert (table.state[h.ICACHE_MISSES], table.state[h.ICACHE_HITS]) == (4, 2)


def test_switching_the_cache_off_forgets_it() -> None:
    table = fresh(WAITING)
    table.cache_on()
    charge(table, 0, EIGHT)
    table.cache_off()
    table.cache_on()
    charge(table, 0, EIGHT)
    assert table.state[h.ICACHE_MISSES] == 2


def test_code_in_ram_does_not_wait() -> None:
    table = fresh(WAITING)
    charge(table, 0x2000_0000, EIGHT)
    assert table.state[h.CYCLES] == 4


def test_a_load_from_flash_waits_and_delays_what_follows() -> None:
    code = program("ldr r0, [r1]; ldr r2, [r3]; nop", "08681a6800bf")
    table = fresh(FlashTiming(0, 0x1000, 2, 3, 4, 2, 2))
    registers = [0, 0x100, 0, 0x2000_0000, *[0] * 12]
    table.add(code, 0x2000_1000, registers=lambda: registers, fetch_flags=0)
    charge(table, 0x2000_1000, code)
    timing = table.timing()
    assert timing is not None
    at = (0x2000_1000, 0x2000_1002, 0x2000_1004)
    assert [table.cycles_before(timing, pc) for pc in at] == [0, 4, 5]
    assert table.state[h.CYCLES] == 6
