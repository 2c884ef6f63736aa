"""`lan-hil monitor exporter`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from pytest_lan_hil.cli.output import note
from pytest_lan_hil.cli.project import find_project
from pytest_lan_hil.config import Board, SearchPath, load_board
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.run.monitor.exporter import Exporter, status
from pytest_lan_hil.run.monitor.inventory import Device, given_devices, read_inventory
from pytest_lan_hil.run.monitor.services import until_told_to_end
from pytest_lan_hil.run.monitor.serving import is_loopback, parse_address, serving


def exporter(
    inventory: str | None,
    given: Sequence[str],
    board: str | None,
    *,
    site: str,
    listen: str,
    every_s: float,
    stale_after_s: float | None,
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        InputError: No devices, both ways of naming them, or devices that can't be.
        BlockedError: The address is taken.
    """
    search = find_project().search()
    devices, boards = _devices(inventory, given, board, site, search)
    address = parse_address(listen)
    with (
        until_told_to_end() as ending,
        Exporter(devices, boards, every_s=every_s, stale_after_s=stale_after_s) as offered,
        serving(offered, address, lambda: status(offered.views(), time.time())) as (host, port),
    ):
        shown = f"[{host}]" if ":" in host else host
        note(f"{len(devices)} device(s) at http://{shown}:{port}/metrics; Ctrl-C ends it")
        if not is_loopback(address[0]):
            note("whoever reaches this address can read the metrics: there is no password")
        ending.wait()


def _devices(
    inventory: str | None, given: Sequence[str], board: str | None, site: str, search: SearchPath
) -> tuple[tuple[Device, ...], dict[str, Board]]:
    """The devices that are named in either way, and their boards by name."""
    if (inventory is None) == (not given):
        raise InputError(
            "devices are named by --inventory and by --device" if given else "no device is named",
            fix="give --inventory devices.toml, or --device desk=/dev/ttyACM0 --board nrf52840",
        )
    if inventory is not None:
        devices = read_inventory(Path(inventory))
        return devices, {name: load_board(name, search) for name in dict.fromkeys(d.board for d in devices)}
    if board is None:
        raise InputError("--device names a port, but not what is there", fix="add --board nrf52840")
    known = load_board(board, search)
    return given_devices(given, board=known.name, site=site), {known.name: known}
