"""Map files of GNU ld are read whole: every byte of every allocated section, and whose it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.dut.linker_map import SCRIPT, TEMPORARY, LinkerMap, object_names, parse_map
from pytest_lan_hil.model.errors import InputError

HEAD = """Archive member included to satisfy reference by file (symbol)

/opt/arm/lib/libc.a(lib_a-memcpy.o)
                              build/app/main.o (memcpy)

Discarded input sections

 .text          0x00000000        0x0 build/app/main.o
 .text.never_called
                0x00000000      0x200 build/app/main.o

Memory Configuration

Name             Origin             Length             Attributes
FLASH            0x08000000         0x00080000         xr
*default*        0x00000000         0xffffffff

Linker script and memory map

"""
MAP = (
    HEAD
    + """LOAD build/app/main.o
LOAD /opt/arm/lib/libc.a
START GROUP
LOAD /opt/arm/lib/libgcc.a
END GROUP
                0x00000400                        _Min_Stack_Size = 0x400

.isr_vector     0x08000000      0x188
 *(.isr_vector)
 .isr_vector    0x08000000      0x188 build/app/startup.o
                0x08000000                g_vectors

.text           0x08000188      0x154
 *(.text .text*)
 .text.main     0x08000188       0x40 build/app/main.o
                0x08000188                main
 .text.a_function_with_a_long_name
                0x080001c8       0x60 build/lib/deep one/dsp.o
 *fill*         0x08000228        0x8 ff
 .text          0x08000230       0x80 /opt/arm/lib/libc.a(lib_a-memcpy.o)
                0x08000230                memcpy
 .text          0x080002b0       0x10 /opt/arm/lib/gcc/arm-none-eabi/12.2.1/thumb/crti.o
 .rodata.str1.1
                0x080002c0       0x18 build/app/main.o
                                 0x20 (size before relaxing)
 LONG           0x080002d8        0x4 LONG 0x2a

.a_section_with_a_long_name
                0x080002dc        0xc
 .a_section_with_a_long_name
                0x080002dc        0xc build/app/main.o

.data           0x20000000       0x10 load address 0x080002e8
 .data.table    0x20000000       0x10 build/app/main.o

.bss            0x20000010       0x30 load address 0x080002f8
 .bss.s_state   0x20000010       0x10 build/lib/deep one/dsp.o
 COMMON         0x20000020       0x20 build/app/main.o
                0x20000020                g_shared

._user_heap_stack
                0x20000040      0x600 load address 0x080002f8
                0x20000040                        . = ALIGN (0x8)
                0x20000640                        . = (. + _Min_Stack_Size)
 *fill*         0x20000040      0x600

.tbss           0x20000640        0x8 load address 0x080002f8
 .tbss.errno    0x20000640        0x8 /opt/arm/lib/libc.a(errno.o)

.empty          0x20000640        0x0
 .empty         0x20000640        0x0 build/app/main.o

.debug_info     0x00000000     0x4000
 .debug_info    0x00000000     0x4000 build/app/main.o

.ARM.attributes
                0x00000000       0x30
 .ARM.attributes
                0x00000000       0x1e build/app/main.o
OUTPUT(app.elf elf32-littlearm)
"""
)


def sizes(linked: LinkerMap) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for part in linked.contributions:
        key = (part.section, part.object)
        found[key] = found.get(key, 0) + part.size
    return found


def test_every_byte_has_an_owner() -> None:
    assert sizes(parse_map(MAP)) == {
        (".isr_vector", "app/startup.o"): 0x188,
        (".text", "app/main.o"): 0x40 + 0x18,
        (".text", "lib/deep one/dsp.o"): 0x60,
        (".text", "libc.a(lib_a-memcpy.o)"): 0x80,
        (".text", "crti.o"): 0x10,
        (".text", SCRIPT): 8 + 4,  # fill and LONG
        (".a_section_with_a_long_name", "app/main.o"): 0xC,
        (".data", "app/main.o"): 0x10,
        (".bss", "lib/deep one/dsp.o"): 0x10,
        (".bss", "app/main.o"): 0x20,  # COMMON
        ("._user_heap_stack", SCRIPT): 0x600,
    }


def test_sections_have_their_addresses_and_what_takes_no_room_is_left_out() -> None:
    found = {section.name: section for section in parse_map(MAP).sections}
    assert list(found) == [
        ".isr_vector", ".text", ".a_section_with_a_long_name", ".data", ".bss", "._user_heap_stack",
    ]  # fmt: skip
    assert (found[".data"].address, found[".data"].load_address) == (0x2000_0000, 0x0800_02E8)
    assert found[".text"].load_address is None


@pytest.mark.parametrize(
    "text",
    ["", "nothing of the kind", MAP.partition("Linker script")[0], MAP.partition("Memory Conf")[0]],
    ids=["empty", "text", "cut-off", "head"],
)
def test_what_is_no_map_of_gnu_ld_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a map file of GNU ld"):
        parse_map(text)


@given(st.integers(0, len(MAP)))
def test_a_map_that_was_cut_off_is_read_or_refused(length: int) -> None:
    try:
        linked = parse_map(MAP[:length])
    except InputError:
        return
    for section in linked.sections:
        parts = [part.size for part in linked.contributions if part.section == section.name]
        assert sum(parts) == section.size


NAMES = st.from_regex(r"\.[a-z_]{1,30}(\.[a-z0-9_]{1,30})?", fullmatch=True)
FILES = st.sampled_from(["a/one.o", "a/b/two.o", "/lib/libm.a(sin.o)"])


@given(st.lists(st.tuples(NAMES, FILES, st.integers(1, 0xFFFF)), min_size=1, max_size=12))
def test_what_ld_writes_is_read_back(parts: list[tuple[str, str, int]]) -> None:
    """Names of every length, alone on their line from 16 characters on, as ld prints them."""

    def line(start: str, size: int, rest: str) -> str:
        figures = f"0x{0x100:08x} {size:#10x} {rest}"
        return f"{start:<16}{figures}\n" if len(start) < 16 else f"{start}\n{'':16}{figures}\n"

    total = sum(size for _, _, size in parts)
    text = (
        HEAD + line(".text", total, "") + "".join(line(f" {name}", size, file) for name, file, size in parts)
    )
    linked = parse_map(text)
    assert sum(part.size for part in linked.contributions) == total
    assert SCRIPT not in {part.object for part in linked.contributions}


def test_names_are_those_that_a_build_in_another_folder_gives() -> None:
    def shown(root: str) -> list[str]:
        files = [f"{root}/app/main.o", f"{root}/lib/dsp.o", "/usr/lib/gcc/arm/crti.o", "/usr/lib/libc.a(x.o)"]
        names = object_names(set(files))
        return [names[file] for file in files]

    assert (
        shown("build") == shown("/home/somebody/out") == ["app/main.o", "lib/dsp.o", "crti.o", "libc.a(x.o)"]
    )


def test_the_compilers_temporary_names_do_not_differ_from_build_to_build() -> None:
    names = object_names({"/tmp/ccAb12Cd.o", "/tmp/cczzzzzz.ltrans0.ltrans.o", "app.elf.ltrans1.ltrans.o"})
    assert names == {
        "/tmp/ccAb12Cd.o": TEMPORARY,
        "/tmp/cczzzzzz.ltrans0.ltrans.o": "(link-time optimisation, ltrans0)",
        "app.elf.ltrans1.ltrans.o": "(link-time optimisation, ltrans1)",
    }


def test_paths_of_windows_are_understood() -> None:
    names = object_names({r"C:\build\app\main.o", r"C:\build\lib\dsp.o", r"C:\gnu\lib\libc.a(x.o)"})
    assert sorted(names.values()) == ["app/main.o", "lib/dsp.o", "libc.a(x.o)"]
