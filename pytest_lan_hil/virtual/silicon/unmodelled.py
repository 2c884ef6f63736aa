"""The error for an access that the virtual chip does not model, named from the SVD that pyOCD ships."""

from __future__ import annotations

import zipfile
from importlib.util import find_spec
from pathlib import Path

from pytest_lan_hil.model.errors import BlockedError


class NotModelled(Exception):
    """Raised by a peripheral for a register or function it doesn't model; the bus adds the where and who."""


class UnmodelledAccess(BlockedError):
    """Firmware or debugger touched a register that the virtual chip does not model.

    The virtual bench is at fault, not the DUT: silently reading zero would make every later number a lie.

    Args:
        address: Byte address of the access.
        pc: Address of the instruction, or None for a debugger's access.
        write: What was written, or None for a read.
        size: Width in bytes.
        part: SVD file name inside pyOCD's package without ".svd" ("nrf52840"), "" for none.
        detail: What exactly isn't modelled, when a peripheral raises this itself.
    """

    def __init__(
        self,
        address: int,
        *,
        pc: int | None,
        write: int | None,
        size: int,
        part: str = "",
        detail: str = "",
    ) -> None:
        self.address = address
        self.pc = pc
        self.write = write
        self.size = size
        self.where = name_of(address, part)
        what = f"write of 0x{write:0{size * 2}x} to" if write is not None else "read of"
        who = f"at PC 0x{pc:08x}" if pc is not None else "by the debugger"
        more = f": {detail}" if detail else ""
        super().__init__(
            f"unmodelled access: {size}-byte {what} {self.where} (0x{address:08x}) {who}{more}",
            fix="the virtual chip does not model this register: use a real bench, "
            "or add the register to pytest_lan_hil/virtual/silicon",
        )


def name_of(address: int, part: str) -> str:
    """`PERIPHERAL.REGISTER` from the SVD of `part`, or `no known peripheral`. Parsed only when asked."""
    if not part:
        return "an address outside every modelled peripheral"
    registers = _registers(part)
    best = ""
    for base, end, name, offsets in registers:
        if base <= address < end:
            register = max((at for at in offsets if base + at <= address), default=None)
            if register is not None and address < base + register + 4:
                return f"{name}.{offsets[register]}"
            best = best or f"{name}+0x{address - base:x}"
    return best or "no known peripheral"


_Names = list[tuple[int, int, str, dict[int, str]]]
_CACHE: dict[str, _Names] = {}


def _registers(part: str) -> _Names:
    if part not in _CACHE:
        from pyocd.debug.svd.parser import SVDParser

        spec = find_spec("pyocd")
        if spec is None or spec.origin is None:
            return []
        archive = Path(spec.origin).parent / "debug" / "svd" / "svd_data.zip"
        with zipfile.ZipFile(archive) as zipped, zipped.open(f"{part}.svd") as file:
            device = SVDParser.for_xml_file(file).get_device()
        found: _Names = []
        for peripheral in device.peripherals:
            block = peripheral.address_block
            size = block.size if block is not None else 0x1000
            offsets = {r.address_offset: r.name for r in peripheral.registers or []}
            found.append((peripheral.base_address, peripheral.base_address + size, peripheral.name, offsets))
        _CACHE[part] = found
    return _CACHE[part]
