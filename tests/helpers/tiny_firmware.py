"""Small ARM images that tests build with the cross compiler: no libraries, a linker script of a few lines."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from required import binary

SCRIPT = """
MEMORY { FLASH (rx) : ORIGIN = 0x00000000, LENGTH = 64K  RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 32K }
ENTRY(main)
SECTIONS {
    .text : {
        LONG(__stack_top) . = 64;
        KEEP(*(.text.main)) *(.text .text.*) *(.rodata .rodata.*) . = ALIGN(4);
    } > FLASH
    .stack (NOLOAD) : {
        __stack_guard = .; . += GUARD; __stack_bottom = .; . += STACK; __stack_top = .;
    } > RAM
    .data : { *(.data .data.*) . = ALIGN(4); } > RAM AT > FLASH
    .bss (NOLOAD) : { *(.bss .bss.*) *(COMMON) . = ALIGN(4); _end = .; end = .; } > RAM
    HEAP
    /DISCARD/ : { *(.ARM.exidx*) *(.comment) *(.note*) }
}
"""
HEAP = ".heap (NOLOAD) : { __heap_start = .; . += 2048; __heap_end = .; } > RAM"
_CPU = ("-mcpu=cortex-m4", "-mthumb")


def build(
    folder: Path,
    sources: Mapping[str, str],
    *,
    heap: str = "",
    guard: int = 0,
    stack: int = 1024,
    options: Sequence[str] = ("-g",),
    name: str = "app",
) -> Path:
    """Compile and link `sources` (path below the folder to C text) into NAME.elf and NAME.map there.

    Args:
        folder: Made if it is not there.
        sources: One of them has main().
        heap: The linker script's line for a heap, if it has one.
        guard, stack: Bytes of the linker script's stack guard and of the stack above it.
        options: For compiler and linker, beside those that every image needs.
        name: Of the results.
    """
    gcc = binary("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "app.ld"
    text = SCRIPT.replace("HEAP", heap).replace("GUARD", str(guard)).replace("STACK", str(stack))
    script.write_text(text, encoding="utf-8")
    objects = []
    for path, text in sources.items():
        source = folder / path
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text, encoding="utf-8")
        objects.append(str(Path(path).with_suffix(".o")))
        compiled = [*_CPU, "-Os", "-ffreestanding", "-ffunction-sections", "-fdata-sections", *options]
        _run([gcc, *compiled, "-c", path, "-o", objects[-1]], folder)
    linked = ["-nostdlib", "-T", script.name, f"-Wl,-Map={name}.map", "-Wl,--gc-sections", *options]
    _run([gcc, *_CPU, *linked, *objects, "-o", f"{name}.elf"], folder)
    return folder / f"{name}.elf"


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
