"""The nRF52840 as a whole: memories, peripherals, core, resets, power.

Memory map and peripheral ids follow the nRF52840 Product Specification, chapters "Memory" and
"Instantiation"; what a reset keeps follows the table "Reset behavior" in chapter "POWER" (read for a later
part of the family; for this one from memory: unconfirmed).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from pytest_lan_hil.virtual.debug_port import AccessPort
from pytest_lan_hil.virtual.silicon.bus import Bus, Memory
from pytest_lan_hil.virtual.silicon.chipbase import ChipBase
from pytest_lan_hil.virtual.silicon.core import Core
from pytest_lan_hil.virtual.silicon.nrf52840 import nvmc as flash
from pytest_lan_hil.virtual.silicon.nrf52840.anomalies import workaround_registers
from pytest_lan_hil.virtual.silicon.nrf52840.clock_power import ClockPower
from pytest_lan_hil.virtual.silicon.nrf52840.ctrl_ap import PORT_NUMBER as CTRL_AP_NUMBER
from pytest_lan_hil.virtual.silicon.nrf52840.ctrl_ap import CtrlAp
from pytest_lan_hil.virtual.silicon.nrf52840.currents import CURRENTS
from pytest_lan_hil.virtual.silicon.nrf52840.fabric import (
    RAM_END,
    RAM_START,
    TICK_HZ,
    TICKS_PER_CYCLE,
    TICKS_PER_US,
    Fabric,
)
from pytest_lan_hil.virtual.silicon.nrf52840.ficr import Ficr, port_protected
from pytest_lan_hil.virtual.silicon.nrf52840.gpio import Gpio
from pytest_lan_hil.virtual.silicon.nrf52840.gpiote import Gpiote
from pytest_lan_hil.virtual.silicon.nrf52840.nvmc import Nvmc
from pytest_lan_hil.virtual.silicon.nrf52840.power import CpuState, PowerModel
from pytest_lan_hil.virtual.silicon.nrf52840.ppi import Ppi
from pytest_lan_hil.virtual.silicon.nrf52840.registers import Block
from pytest_lan_hil.virtual.silicon.nrf52840.rtc import LowFrequencyClock, Rtc
from pytest_lan_hil.virtual.silicon.nrf52840.small import Egu, Rng, Temp
from pytest_lan_hil.virtual.silicon.nrf52840.timer import Timer
from pytest_lan_hil.virtual.silicon.nrf52840.timing import (
    FLASH_TIMING,
    HOPELESS_US,
    IDLE_TO_CPU_US,
    RESET_TO_CPU_US,
    TIMING_NOTES,
)
from pytest_lan_hil.virtual.silicon.nrf52840.uarte import Uarte
from pytest_lan_hil.virtual.silicon.nrf52840.wdt import Wdt
from pytest_lan_hil.virtual.silicon.timeline import Timeline

IRQ_COUNT = 48
PRIORITY_BITS = 3
LOWEST_SUPPLY_V = 1.7  # PS, recommended conditions
RAM_SIZE = RAM_END - RAM_START

_TIMERS = (("TIMER0", 0x4000_8000, 8, 4), ("TIMER1", 0x4000_9000, 9, 4), ("TIMER2", 0x4000_A000, 10, 4),
           ("TIMER3", 0x4001_A000, 26, 6), ("TIMER4", 0x4001_B000, 27, 6))  # fmt: skip
_RTCS = (("RTC0", 0x4000_B000, 11, 3), ("RTC1", 0x4001_1000, 17, 4), ("RTC2", 0x4002_4000, 36, 4))
_EGUS = 6
_WDT_SURVIVES = ("soft", "lockup")
_RAM_PATTERN = hashlib.shake_128(b"SRAM of a virtual nRF52840 after power-up").digest(RAM_SIZE)


class Nrf52840(ChipBase):
    """One chip.

    Args:
        serial: Makes FICR.DEVICEID.
        on_current: Called with (tick, amperes) at every step of the supply current.
        on_level: Called with (pin number, level) at every pin edge.

    Attributes:
        timeline, bus, core: The emulation.
        gpio, nvmc, uarte0, uarte1, ctrl_ap, power_model: Parts that the bench around the chip uses.
        nonvolatile_size: Bytes of flash and UICR.
        on_nonvolatile_settled: Called when flash has changed, and the debugger left or the chip was reset.
    """

    nonvolatile_size = flash.FLASH_SIZE + flash.UICR_SIZE

    def __init__(
        self,
        *,
        serial: str,
        on_current: Callable[[int, float], None],
        on_level: Callable[[int, bool], None],
    ) -> None:
        self.bus = Bus("nrf52840")
        self.fabric = Fabric(Timeline(TICK_HZ), self.bus)
        super().__init__(self.fabric)
        self.power_model = PowerModel(self.fabric, on_current)
        self.fabric.on_hfclk = self.power_model.update
        self.on_nonvolatile_settled: Callable[[], object] = lambda: None
        self._off = False
        self._debug_power = False
        self._protected = False
        self._reset_at = 0
        self._flash = self._add_cells("FLASH", 0, flash.FLASH_SIZE)
        self._uicr = self._add_cells("UICR", flash.UICR_BASE, flash.UICR_SIZE)
        self._ram = self.bus.add_memory("RAM", RAM_START, RAM_SIZE, writable=True)
        self._flash.data[:] = 0xFF
        self._uicr.data[:] = 0xFF
        self._make_peripherals(serial, on_level)
        self.core = Core(
            self.bus,
            self.timeline,
            ticks_per_cycle=TICKS_PER_CYCLE,
            irq_count=IRQ_COUNT,
            priority_bits=PRIORITY_BITS,
            flash_timing=FLASH_TIMING,
            listener=self,
        )
        self.fabric.irqs = self.core

    def _add_cells(self, name: str, base: int, size: int) -> Memory:
        return self.bus.add_memory(
            name,
            base,
            size,
            writable=False,
            may_write=lambda address, width: self.nvmc.may_store(address, width),
            on_write=lambda address, value, _width: self.nvmc.store(address, value),
        )

    def _make_peripherals(self, serial: str, on_level: Callable[[int, bool], None]) -> None:
        fabric, power, table = self.fabric, self.power_model, CURRENTS
        lfclk = LowFrequencyClock()

        def draws(amperes: float) -> Callable[[str, bool], None]:
            return lambda name, on: power.set_active(name, amperes if on else 0.0)

        self.clocks = ClockPower(fabric, lfclk, changed=power.update, system_off=self._enter_system_off)
        power.clocks = self.clocks
        self.nvmc = Nvmc(
            fabric,
            self.bus,
            stall=self.stall,
            on_busy=lambda busy: power.set_active("NVMC", table.flash_busy.value if busy else 0.0),
            on_cache=self._set_cache,
            cache_counts=lambda: self.core.cache_counts,
        )
        self.gpio = Gpio(fabric, on_level=on_level)
        gpiote = Gpiote(
            fabric,
            self.gpio,
            on_event_channels=lambda n: power.set_active("GPIOTE", n * table.gpiote_in_channel.value),
        )
        uart_draws = draws(table.uarte_active.value)
        self.uarte0 = Uarte(fabric, "UARTE0", 0x4000_2000, 2, line=None, on_active=uart_draws)
        self.uarte1 = Uarte(fabric, "UARTE1", 0x4002_8000, 40, line=None, on_active=uart_draws)
        timer_draws = draws(table.timer_running.value)
        self.wdt = Wdt(
            fabric,
            on_reset_request=lambda: self.request_reset("watchdog"),
            on_active=draws(table.wdt_active.value),
        )
        blocks: list[Block] = [
            self.clocks,
            self.nvmc,
            self.gpio,
            gpiote,
            self.uarte0,
            self.uarte1,
            *(
                Timer(fabric, name, base, irq, channels=n, on_running=timer_draws)
                for name, base, irq, n in _TIMERS
            ),
            *(Rtc(fabric, name, base, irq, channels=n, clock=lfclk) for name, base, irq, n in _RTCS),
            Rng(fabric, on_active=draws(table.rng_active.value)),
            Temp(fabric, on_active=draws(table.temp_active.value)),
            *(Egu(fabric, n) for n in range(_EGUS)),
        ]
        blocks.append(Ppi(fabric, [*blocks, self.wdt]))
        self._blocks = blocks
        self.bus.add_peripheral(Ficr(serial))
        self._workarounds = workaround_registers()
        for part in (*blocks, self.wdt, *self._workarounds):
            self.bus.add_peripheral(part)
        self.gpio.detect_listeners.append(self._detect_changed)
        self.ctrl_ap = CtrlAp(
            fabric,
            erase_all=self._erase_all,
            protected=lambda: self._protected,
            hold_reset=self._hold_reset,
        )

    @property
    def uarts(self) -> Mapping[str, Uarte]:
        """By the names that URLs use."""
        return {"uart0": self.uarte0, "uart1": self.uarte1}

    @property
    def access_ports(self) -> Mapping[int, AccessPort]:
        """Nordic's CTRL-AP."""
        return {CTRL_AP_NUMBER: self.ctrl_ap}

    def drive_pin(self, pin: int, level: bool | None) -> None:  # noqa: FBT001 - a signal
        """Something outside drives the pin (None: lets it float)."""
        self.gpio.drive_external(pin, level)

    @property
    def notes(self) -> tuple[str, ...]:
        """Figures of the power and timing model that are not confirmed."""
        return (*CURRENTS.notes(), *TIMING_NOTES)

    # -- time --------------------------------------------------------------------------------------------

    @property
    def lowest_supply_v(self) -> float:
        """PS, recommended conditions."""
        return LOWEST_SUPPLY_V

    @property
    def switched_off(self) -> bool:
        """System OFF."""
        return self._off

    def lockup(self, deadline: int) -> None:
        """Lockup resets the chip, unless a debugger is there. One that locks up again at once (erased flash)
        would do so for ever: it is left standing until somebody else resets it."""
        if self._debug_mode:
            self.observe_cpu()
            self.idle_until(deadline)
        elif self.timeline.now - self._reset_at > HOPELESS_US * TICKS_PER_US:
            self.request_reset("lockup")
        else:
            self.idle_until(deadline)

    def supply_changed(self, supply_v: float) -> None:
        """The supply voltage."""
        self.power_model.set_supply(supply_v)

    def supply_lost(self) -> None:
        """Pins let go."""
        self.gpio.reset()

    def all_uarts(self) -> tuple[Uarte, ...]:
        """UARTE0 and UARTE1."""
        return (self.uarte0, self.uarte1)

    # -- core listener -----------------------------------------------------------------------------------

    def on_sleep(self) -> None:
        """WFI or WFE: the CPU stops."""
        self.cpu_sleeps()
        self.clocks.sleep_entered()
        self.observe_cpu()

    def on_wake(self) -> None:
        """The CPU runs again, as soon as its clock does."""
        self.cpu_wakes()
        self.clocks.sleep_left()
        if not (self.fabric.hfclk_requested or self.clocks.constant_latency or self._debug_mode):
            self.core.stall(IDLE_TO_CPU_US * TICKS_PER_US)
        self.observe_cpu()

    def on_reset_request(self, kind: str) -> None:
        """SYSRESETREQ or lockup, from the core."""
        self.request_reset("lockup" if "lock" in kind.lower() else "soft")

    def observe_cpu(self) -> None:
        """Tell the power model and the watchdog what the CPU does."""
        core = self.core
        if self._browned_out:
            state = CpuState.UNPOWERED
        elif self._off:
            state = CpuState.OFF
        elif core.sleeping or core.halted or self._held:
            state = CpuState.SLEEP
        else:
            state = CpuState.RAM if core.pc >= RAM_START else CpuState.FLASH
        self.power_model.set_debug(interface_mode=self._debug_mode)
        self.power_model.set_cpu(state)
        self.wdt.cpu_state(asleep=core.sleeping, halted=core.halted)

    # -- debug -------------------------------------------------------------------------------------------

    @property
    def _debug_mode(self) -> bool:
        """Debug interface mode: the debug domain is powered, or halting debug is enabled."""
        return self._debug_power or self.core.debug_enabled

    def set_debug_power(self, *, powered: bool) -> None:
        """CDBGPWRUPREQ of the debug port. Powering up wakes the chip from System OFF."""
        if powered == self._debug_power:
            return
        self._debug_power = powered
        if powered and self._off:
            self.request_reset("debug")
            self.apply_reset()
        self.observe_cpu()
        if not powered:
            self._settle_nonvolatile()

    @property
    def debug_powered(self) -> bool:
        """True while the debugger asks for power."""
        return self._debug_power

    @property
    def protected(self) -> bool:
        """Access port protection keeps the AHB-AP shut."""
        return self._protected

    def _erase_all(self) -> int:
        done = self.nvmc.erase_all()
        self._protected = False
        return done

    def _hold_reset(self, asserted: bool) -> None:  # noqa: FBT001 - a signal's value
        self._held = asserted
        if not asserted:
            self.request_reset("soft")
            self.apply_reset()
        self.observe_cpu()

    # -- System OFF --------------------------------------------------------------------------------------

    def _enter_system_off(self) -> None:
        """POWER.SYSTEMOFF: only a pin, a reset or a debugger wakes the chip."""
        self._off = True
        self.core.stop()
        for block in self._blocks:
            if block is not self.gpio:
                block.reset()
        self.observe_cpu()

    def _detect_changed(self) -> None:
        if self._off and self.gpio.detect:
            self.request_reset("off")

    # -- resets ------------------------------------------------------------------------------------------

    def reset(self, kind: str) -> None:
        """Reset the chip.

        Args:
            kind: "power_on", "pin", "watchdog", "soft", "lockup", "off" (woken from System OFF by a pin)
                or "debug" (woken by the debugger).
        """
        was_off, self._off = self._off, False
        self._pending_reset = None
        self._reset_at = self.timeline.now
        self.fabric.forget_scheduled()
        self.cpu_wakes()
        power_on = kind == "power_on"
        if power_on:
            self.core.power_up()
        if power_on or kind == "pin":
            # "RAM is never reset, but its content may be corrupted": here it always is, and always alike.
            self.bus.write_memory(RAM_START, _RAM_PATTERN)
        for block in self._blocks:
            if not (was_off and block is self.gpio):
                block.reset()
        for register in self._workarounds:
            register.reset()
        if kind not in _WDT_SURVIVES:
            self.wdt.reset()
        if kind in ("power_on", "pin", "watchdog"):
            self.clocks.reset_retained(power_on=power_on)
        if not power_on:
            self.clocks.add_reset_reason(kind)
        self._protected = port_protected(self._uicr.data.tobytes())
        self.core.reset()
        self.core.stall(RESET_TO_CPU_US * TICKS_PER_US)
        self.observe_cpu()
        self._settle_nonvolatile()

    # -- flash -------------------------------------------------------------------------------------------

    def _set_cache(self, enabled: bool) -> None:  # noqa: FBT001 - a register bit
        self.power_model.set_cache(enabled)
        if hasattr(self, "core"):
            self.core.set_cache(enabled=enabled)

    def _settle_nonvolatile(self) -> None:
        if self.nvmc.changed:
            self.nvmc.changed = False
            self.on_nonvolatile_settled()

    def nonvolatile(self) -> bytes:
        """Flash, then UICR."""
        return self._flash.data.tobytes() + self._uicr.data.tobytes()

    def load_nonvolatile(self, content: bytes) -> None:
        """What `nonvolatile` returned; takes effect with the next reset."""
        self.bus.write_memory(0, content[: flash.FLASH_SIZE])
        self.bus.write_memory(flash.UICR_BASE, content[flash.FLASH_SIZE :])
