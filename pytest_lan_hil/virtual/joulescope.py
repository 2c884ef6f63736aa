"""A virtual Joulescope in the supply of a virtual board: entry point `pytest_lan_hil.joulescope_drivers`."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_lan_hil.virtual.board import acquire, release
from pytest_lan_hil.virtual.js220_capture import GPI_LINES
from pytest_lan_hil.virtual.js220_driver import VirtualDriver
from pytest_lan_hil.virtual.options import faults_of, refuse_unknown, require_supply, understood, wired_pins

_OPTIONS = (*GPI_LINES, "supply_v", "serial", "seed", "fault")


def open_driver(target: str, options: Mapping[str, str]) -> VirtualDriver:
    """Entry point `pytest_lan_hil.joulescope_drivers`: a virtual JS220 in the supply of a virtual board.

    Args:
        target: Board, for instance "nrf52840".
        options: gpi0 to gpi3 = pin ("P0.13"); supply_v (default 3.0); serial (default "000001");
            seed (default 1); fault (see `faults`).

    Raises:
        InputError: An unknown option, pin or board, or a number that is none.
        LeaseError: Another process holds the board.
    """
    refuse_unknown("Joulescope", sorted(set(options) - set(_OPTIONS)), ", ".join(_OPTIONS))
    with understood("Joulescope", "joulescope+virtual:nrf52840?gpi0=P0.13&supply_v=3.0&seed=1"):
        supply_v = float(options.get("supply_v") or 3.0)
        seed = int(options.get("seed") or 1)
        pins = wired_pins(target, options, GPI_LINES)
    require_supply(target, supply_v)
    faults = faults_of(options)
    serial = options.get("serial") or "000001"
    board = acquire(target)
    board.set_supply(supply_v)
    return VirtualDriver(
        board,
        serial=serial,
        supply_v=supply_v,
        pins=pins,
        seed=seed,
        faults=faults,
        release=lambda: release(board),
    )
