"""The STM32F412ZG as a whole: memories, peripherals, core, clocks, low-power modes, resets, power.

Memory map and interrupt numbers follow RM0402, chapters "Memory map" and "NVIC".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from pytest_lan_hil.model.errors import DutFault
from pytest_lan_hil.virtual.debug_port import AccessPort
from pytest_lan_hil.virtual.silicon.blocks import FlashSetting
from pytest_lan_hil.virtual.silicon.bus import Bus
from pytest_lan_hil.virtual.silicon.chipbase import ChipBase
from pytest_lan_hil.virtual.silicon.core import Core
from pytest_lan_hil.virtual.silicon.fabric import Fabric
from pytest_lan_hil.virtual.silicon.stm32f412 import timing as t
from pytest_lan_hil.virtual.silicon.stm32f412.currents import CURRENTS
from pytest_lan_hil.virtual.silicon.stm32f412.flash import OPTION_BYTES_SIZE
from pytest_lan_hil.virtual.silicon.stm32f412.parts import Parts
from pytest_lan_hil.virtual.silicon.stm32f412.power import CpuState
from pytest_lan_hil.virtual.silicon.stm32f412.usart import Usart
from pytest_lan_hil.virtual.silicon.timeline import Timeline

IRQ_COUNT = 97
PRIORITY_BITS = 4
RAM_START, RAM_SIZE = 0x2000_0000, 0x4_0000
LOWEST_SUPPLY_V = 1.7  # DS11139, general operating conditions
_RAM_PATTERN = hashlib.shake_128(b"SRAM of a virtual STM32F412 after power-up").digest(RAM_SIZE)


class Stm32f412(ChipBase):
    """One chip.

    Args:
        serial: Makes the unique device ID.
        on_current: Called with (tick, amperes) at every step of the supply current.
        on_level: Called with (pin number, level) at every pin edge.

    Attributes:
        bus, core: The emulation.
        nonvolatile_size: Bytes of flash and option bytes.
        on_nonvolatile_settled: Called when flash has changed, and the debugger left or the chip was reset.
    """

    nonvolatile_size = t.FLASH_SIZE + OPTION_BYTES_SIZE

    def __init__(
        self,
        *,
        serial: str,
        on_current: Callable[[int, float], None],
        on_level: Callable[[int, bool], None],
    ) -> None:
        self.bus = Bus("STM32F41x")
        self.fabric = Fabric(Timeline(t.TICK_HZ), self.bus)
        super().__init__(self.fabric)
        self.on_nonvolatile_settled: Callable[[], object] = lambda: None
        self._debug_power = False
        self._deep: CpuState | None = None  # STOP or STANDBY
        self._observed: dict[str, None] = {}  # what the firmware did that silicon takes amiss
        self._hclk_hz = 0
        flash = self.bus.add_memory(
            "FLASH",
            t.FLASH_BASE,
            t.FLASH_SIZE,
            writable=False,
            may_write=lambda _address, _size: (
                True
            ),  # the controller takes every store, be it for an error flag
            on_write=lambda address, value, size: self.flash.store(address, value, size),
        )
        self._flash = flash
        self.bus.add_mirror("BOOT", 0, flash)  # BOOT0 low: the flash is at 0 as well
        self.bus.add_memory("RAM", RAM_START, RAM_SIZE, writable=True)
        flash.data[:] = 0xFF
        self.parts = parts = Parts(self, serial=serial, on_current=on_current, on_level=on_level)
        self.rcc, self.pwr, self.flash, self.rtc = parts.rcc, parts.pwr, parts.flash, parts.rtc
        self.dbgmcu, self.iwdg, self.power_model = parts.dbgmcu, parts.iwdg, parts.power_model
        self.core = Core(
            self.bus,
            self.timeline,
            ticks_per_cycle=t.TICK_HZ // self.rcc.hclk_hz,
            irq_count=IRQ_COUNT,
            priority_bits=PRIORITY_BITS,
            flash_timing=t.FLASH_TIMING,
            listener=self,
        )
        self.fabric.irqs = self.core

    # -- what the board asks -----------------------------------------------------------------------------

    @property
    def uarts(self) -> Mapping[str, Usart]:
        """By the names that URLs use."""
        return self.parts.uarts

    def all_uarts(self) -> tuple[Usart, ...]:
        """USART2 and USART3."""
        return tuple(self.parts.uarts.values())

    @property
    def access_ports(self) -> Mapping[int, AccessPort]:
        """None but the AHB-AP."""
        return {}

    def drive_pin(self, pin: int, level: bool | None) -> None:  # noqa: FBT001 - a signal
        """Something outside drives the pin (None: lets it float)."""
        self.parts.ports[pin >> 4].drive_external(pin & 15, level)

    def note(self, sentence: str) -> None:
        """Something that a reader of the chip's figures must know."""
        self._observed.setdefault(sentence)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the firmware did that silicon takes amiss, then figures that are not confirmed."""
        return (*self._observed, *CURRENTS.notes(), *t.TIMING_NOTES)

    # -- clocks ------------------------------------------------------------------------------------------

    def clocks_changed(self) -> None:
        """A clock, an oscillator, an enable or the regulator's scale has changed."""
        if not hasattr(self, "core"):  # still being made
            return
        hclk_hz = self.rcc.hclk_hz
        self._check_clock()
        if hclk_hz != self._hclk_hz:
            self._hclk_hz = hclk_hz
            ticks = round(t.TICK_HZ / hclk_hz)
            if ticks * hclk_hz != t.TICK_HZ:
                self.note(
                    f"HCLK of {hclk_hz} Hz is no whole number of ticks: {t.TICK_HZ / ticks:.0f} Hz instead"
                )
            self.core.clock.set_rate(ticks)
        for block in self.parts.blocks:
            block.rates_changed()
        self.rtc.clock_changed()
        self.power_model.update()

    def _check_clock(self) -> None:
        """A core too fast for its voltage, or for the flash's wait states, reads wrong: that is an error."""
        hclk_hz, supply_v, scale = self.rcc.hclk_hz, self.power_model.supply_v, self.pwr.scale
        limit_hz = t.SCALE_LIMITS_HZ[scale]
        if hclk_hz > limit_hz:
            raise DutFault(
                f"HCLK is {hclk_hz / 1e6:g} MHz; at regulator scale {scale} (PWR_CR.VOS) it may be "
                f"{limit_hz / 1e6:g} MHz "
                "(RM0402, PWR)"
            )
        needed, set_to = t.wait_states_needed(hclk_hz, supply_v), self.flash.setting.wait_states
        if set_to < needed:
            raise DutFault(
                f"HCLK is {hclk_hz / 1e6:g} MHz at {supply_v:g} V: the flash needs {needed} wait states, "
                f"FLASH_ACR.LATENCY "
                f"is {set_to} (RM0402, number of wait states)"
            )

    def set_flash(self, setting: FlashSetting) -> None:
        """Wait states or ART have changed."""
        if hasattr(self, "core"):
            self.core.blocks.set_flash(setting)
            self._check_clock()
            self.power_model.update()

    # -- core listener -----------------------------------------------------------------------------------

    def on_sleep(self) -> None:
        """WFI or WFE: Sleep, Stop or Standby mode."""
        if self.core.sleep_deep:
            if self.pwr.standby:
                self._enter_standby()
            else:
                self._enter_stop()
        self.cpu_sleeps()
        self.observe_cpu()

    def _enter_stop(self) -> None:
        self._deep = CpuState.STOP
        for block in self.parts.blocks:
            block.clocks_stop()
        self.observe_cpu()  # before the clock falls: that is not a step of its own
        self.rcc.stop_entered()

    def _enter_standby(self) -> None:
        self._deep = CpuState.STANDBY
        self.core.stop()

    @property
    def switched_off(self) -> bool:
        """Standby mode."""
        return self._deep is CpuState.STANDBY

    def clocks_kept(self) -> bool:
        """DBGMCU keeps the clocks of the present low-power mode alive."""
        standby = self._deep is CpuState.STANDBY
        kept = self.dbgmcu.keeps_clocks_in_standby if standby else self.dbgmcu.keeps_clocks_in_stop
        if kept and self._deep is not None:
            self.note(
                "DBGMCU_CR keeps clocks running in Stop or Standby mode: a debugger has set it, and only "
                "power-on or "
                "the firmware clears it; the current is that of a chip under debug"
            )
        return kept

    def on_wake(self) -> None:
        """The CPU runs again; from Stop mode on HSI, as soon as regulator and flash are up."""
        if self._deep is CpuState.STOP:
            self._deep = None
            self.rcc.stop_left()
            wake_us = t.STOP_WAKE_US[self.pwr.low_power_regulator, self.pwr.flash_off]
            wake_ticks = 0 if self.dbgmcu.keeps_clocks_in_stop else wake_us * t.TICKS_PER_US
            self.core.stall(wake_ticks)
            self.fabric.schedule(self.fabric.now + wake_ticks, self._clocks_return)
        self.cpu_wakes()
        self.observe_cpu()

    def _clocks_return(self) -> None:
        for block in self.parts.blocks:
            block.clocks_run()

    def on_reset_request(self, kind: str) -> None:
        """SYSRESETREQ, from the core. Lockup resets nothing on this part."""
        if "lock" not in kind.lower():
            self.request_reset("soft")

    def lockup(self, deadline: int) -> None:
        """It stands until somebody resets it (a watchdog, a pin, the debugger)."""
        self.observe_cpu()
        self.idle_until(deadline)

    def observe_cpu(self) -> None:
        """Tell the power model and the watchdog what the CPU does."""
        core = self.core
        if not self.powered:
            state = CpuState.UNPOWERED
        elif self._deep is not None:
            state = self._deep
        else:
            state = CpuState.SLEEP if core.sleeping or core.halted or self._held else CpuState.RUN
        self.power_model.set_state(state)
        self.iwdg.freeze(frozen=core.halted and self.dbgmcu.stops_watchdog)

    # -- debug -------------------------------------------------------------------------------------------

    @property
    def protected(self) -> bool:
        """Read protection is not modelled."""
        return False

    def set_debug_power(self, *, powered: bool) -> None:
        """CDBGPWRUPREQ of the debug port."""
        self._debug_power = powered
        if not powered:
            self._settle_nonvolatile()

    @property
    def debug_powered(self) -> bool:
        """True while the debugger asks for power."""
        return self._debug_power

    # -- supply and resets -------------------------------------------------------------------------------

    @property
    def lowest_supply_v(self) -> float:
        """DS11139, general operating conditions."""
        return LOWEST_SUPPLY_V

    def supply_changed(self, supply_v: float) -> None:
        """The supply voltage: it limits the clock."""
        self.power_model.set_supply(supply_v)
        if self.powered and not self.stands:
            self._check_clock()

    def supply_lost(self) -> None:
        """Pins let go."""
        for port in self.parts.ports:
            port.reset()

    def reset(self, kind: str) -> None:
        """Reset the chip.

        Args:
            kind: "power_on", "pin", "soft", "iwdg" or "standby" (woken from Standby mode).
        """
        self._pending_reset = None
        self._deep = None
        self.fabric.forget_scheduled()
        self.cpu_wakes()
        if kind == "power_on":
            self.core.power_up()
            self.dbgmcu.power_up()
        if kind in ("power_on", "standby"):
            self.bus.write_memory(RAM_START, _RAM_PATTERN)
        for block in self.parts.blocks:
            block.reset()
        if kind == "power_on":
            self.pwr.after_power_on()
        elif kind == "standby":
            self.pwr.woke_from_standby()
        self.rcc.after_reset(kind)
        self.power_model.reset()
        self.clocks_changed()
        self.core.blocks.invalidate_cache()
        self.core.reset()
        start_us = t.STANDBY_WAKE_US if kind == "standby" else t.RESET_TO_CPU_US
        self.core.stall(start_us * t.TICKS_PER_US)
        if not self.flash.watchdog_by_software:
            self.iwdg.start()
        self.observe_cpu()
        self._settle_nonvolatile()

    # -- flash -------------------------------------------------------------------------------------------

    def _settle_nonvolatile(self) -> None:
        if self.flash.changed:
            self.flash.changed = False
            self.on_nonvolatile_settled()

    def nonvolatile(self) -> bytes:
        """Flash, then option bytes."""
        return self._flash.data.tobytes() + self.flash.option_bytes()

    def load_nonvolatile(self, content: bytes) -> None:
        """What `nonvolatile` returned; takes effect with the next reset."""
        self.bus.write_memory(t.FLASH_BASE, content[: t.FLASH_SIZE])
        self.flash.load_option_bytes(content[t.FLASH_SIZE :])
