"""Flash and RAM by object file: the table adds up, says what it was made from, and tells what grew."""

from __future__ import annotations

from pathlib import Path

import dut_elf
import pytest
from tiny_firmware import HEAP, build

from pytest_lan_hil.dut.footprint import (
    Footprint,
    ObjectSize,
    before_and_after,
    compare,
    footprint,
)
from pytest_lan_hil.dut.image import load_image
from pytest_lan_hil.model.errors import ImageError, InputError

MAIN = """
extern int work(int number);
int g_table[4] = {1, 2, 3, 4};
static const char k_text[40] = "thirty-nine characters and a zero.....";
int main(void) { return work(g_table[2]) + k_text[g_table[1]]; }
"""
WORK = """
char g_buffer[200];
static char s_buffer[56];
__attribute__((noinline)) int work(int number) { return g_buffer[number] + s_buffer[number]++; }
"""
SOURCES = {"app/main.c": MAIN, "lib/work.c": WORK}


def row(table: Footprint, name: str) -> ObjectSize:
    return next(item for item in table.objects if item.name == name)


@pytest.mark.parametrize("options", [("-g",), (), ("-flto", "-g")], ids=["debug", "plain", "lto"])
@pytest.mark.parametrize("with_map", [True, False], ids=["map", "symbols"])
def test_the_table_adds_up_to_the_image(tmp_path: Path, options: tuple[str, ...], with_map: bool) -> None:
    path = build(tmp_path, SOURCES, heap=HEAP, guard=32, options=options)
    if not with_map:
        path.with_suffix(".map").unlink()
    image = load_image(path)
    table = footprint(image)
    assert (table.flash, table.ram) == (image.flash_bytes, image.static_ram_bytes)
    assert table.by_map is with_map


def test_the_map_tells_each_objects_share(tmp_path: Path) -> None:
    image = load_image(build(tmp_path, SOURCES))
    table = footprint(image)
    assert table.source == "linker map app.map"
    assert row(table, "lib/work.o").ram == 256
    assert row(table, "app/main.o").ram == 16
    assert row(table, "app/main.o").flash > 16 + 40  # initial values, text and code
    assert [item.total for item in table.objects] == sorted((i.total for i in table.objects), reverse=True)


def test_without_a_map_symbols_tell_and_that_is_said(tmp_path: Path) -> None:
    path = build(tmp_path, SOURCES)
    path.with_suffix(".map").unlink()
    table = footprint(load_image(path))
    assert table.source == "symbols of app.elf (no app.map beside it)"
    assert row(table, "lib/work.c").ram == 256
    assert row(table, "app/main.c").ram == 16


def test_without_debug_information_only_local_symbols_have_a_source(tmp_path: Path) -> None:
    path = build(tmp_path, SOURCES, options=())
    path.with_suffix(".map").unlink()
    table = footprint(load_image(path))
    assert row(table, "work.c").ram == 56
    assert row(table, "(source unknown)").ram == 200 + 16


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (
            lambda text: text.replace("Linker script and memory map", ""),
            "app.map is not a map file of GNU ld",
        ),
        (
            lambda text: text.replace(".bss            0x2000041", ".bss            0x2000042"),
            "of another build",
        ),
    ],
    ids=["damaged", "stale"],
)
def test_a_map_that_does_not_belong_to_the_image_is_not_used(tmp_path: Path, spoil, why: str) -> None:
    path = build(tmp_path, SOURCES)
    linked = path.with_suffix(".map")
    before = linked.read_text()
    linked.write_text(spoil(before))
    assert linked.read_text() != before
    table = footprint(load_image(path))
    assert not table.by_map
    assert why in table.source
    assert table.ram == load_image(path).static_ram_bytes


def test_a_hex_file_has_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.hex").write_text(":0400000001020304F2\n:00000001FF\n")
    with pytest.raises(ImageError, match="has no sections"):
        footprint(load_image(tmp_path / "a.hex"))


# Growth --------------------------------------------------------------------------------------------------


GONE = "int g_gone = 7;\n__attribute__((noinline)) int gone(void) { return g_gone++; }\n"
NEW = "static char s_new[32];\nchar *fresh(int at) { return s_new + at; }\n"


def calling(declaration: str, call: str) -> str:
    return f"{declaration}\n" + MAIN.replace("return work", f"return {call} + work")


@pytest.fixture
def builds(tmp_path: Path) -> tuple[Path, Path]:
    """An old build; and a new one in another folder with a larger buffer, a new file, and one gone."""
    calls_gone = calling("extern int gone(void);", "gone()")
    old = build(tmp_path / "old" / "out", {"app/main.c": calls_gone, "lib/work.c": WORK, "lib/gone.c": GONE})
    calls_new = calling("extern char *fresh(int at);", "*fresh(1)")
    larger = WORK.replace("200", "264")
    new = build(tmp_path / "new", {"app/main.c": calls_new, "lib/work.c": larger, "extra/new.c": NEW})
    return old, new


def growth(old: Path, new: Path) -> dict[str, tuple[str, int]]:
    before, after = before_and_after(old, load_image(new))
    return {item.name: (item.state, item.ram) for item in compare(before, after)}


@pytest.mark.parametrize("kind", ["elf", "map", "folder"])
def test_what_grew_what_is_new_and_what_is_gone(builds: tuple[Path, Path], kind: str) -> None:
    old, new = builds
    given = {"elf": old, "map": old.with_suffix(".map"), "folder": old.parent}[kind]
    found = growth(given, new)
    assert found["lib/work.o"] == ("grew", 64)
    assert found["extra/new.o"] == ("new", 32)
    assert found["lib/gone.o"][0] == "gone"


def test_a_map_without_its_elf_is_enough(builds: tuple[Path, Path]) -> None:
    old, new = builds
    old.unlink()
    assert growth(old.with_suffix(".map"), new)["lib/work.o"] == ("grew", 64)


def test_two_builds_are_told_in_the_same_way(builds: tuple[Path, Path]) -> None:
    """A map of one and symbols of the other differ in what they call padding: that is no growth."""
    old, new = builds
    old.with_suffix(".map").unlink()
    before, after = before_and_after(old, load_image(new))
    assert not before.by_map
    assert not after.by_map
    assert growth(old, new)["lib/work.c"] == ("grew", 64)


def test_the_same_build_shows_no_growth(builds: tuple[Path, Path]) -> None:
    _, new = builds
    assert {state for state, _ in growth(new, new).values()} == {"same"}


def test_growth_is_sorted_by_what_was_added(builds: tuple[Path, Path]) -> None:
    old, new = builds
    before, after = before_and_after(old, load_image(new))
    added = [item.flash + item.ram for item in compare(before, after)]
    assert added == sorted(added, reverse=True)


def test_one_folder_more_in_a_build_does_not_make_every_object_new() -> None:
    before = Footprint((ObjectSize("run.o", 10, 0), ObjectSize("out.o", 5, 0)), "x")
    after = Footprint((ObjectSize("common/run.o", 12, 0), ObjectSize("port/uart.o", 9, 0)), "x")
    assert [(item.name, item.state, item.flash) for item in compare(before, after)] == [
        ("port/uart.o", "new", 9), ("common/run.o", "grew", 2), ("out.o", "gone", -5),
    ]  # fmt: skip


def test_files_whose_names_differ_in_nothing_but_the_extension_are_compared_together() -> None:
    both = (ObjectSize("a/io.c", 100, 8), ObjectSize("a/io.S", 40, 0))
    (row,) = compare(Footprint((ObjectSize("a/io.o", 120, 8),), "map"), Footprint(both, "symbols"))
    assert (row.name, row.flash, row.ram, row.state) == ("a/io", 20, 0, "grew")


def test_an_older_build_that_is_not_there_is_told_as_such(builds: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match=r"comparing with an older build: there is no .*nowhere"):
        before_and_after(builds[0].parent / "nowhere", load_image(builds[1]))


def test_bytes_that_went_from_flash_to_ram_have_moved() -> None:
    before, after = Footprint((ObjectSize("a.o", 8, 0),), "x"), Footprint((ObjectSize("a.o", 0, 8),), "x")
    assert [item.state for item in compare(before, after)] == ["moved"]


def test_a_folder_without_an_older_build_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.elf").write_bytes(dut_elf.firmware().build())
    image = load_image(tmp_path / "a.elf")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"a.elf is not there; it has: none") as caught:
        before_and_after(empty, image)
    assert "--against OLD.elf" in caught.value.fix
    with pytest.raises(InputError, match=r"there is no .*none\.map"):
        before_and_after(tmp_path / "none.map", image)


def test_the_name_does_not_matter_if_there_is_just_one(builds: tuple[Path, Path]) -> None:
    old, new = builds
    old.rename(old.with_name("other.elf"))
    old.with_suffix(".map").rename(old.with_name("other.map"))
    assert growth(old.parent, new)["lib/work.o"] == ("grew", 64)
