"""The peripherals of the STM32F412 and how they hang together (RM0402, "Memory map" and "NVIC")."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from pytest_lan_hil.virtual.silicon.blocks import FlashSetting
from pytest_lan_hil.virtual.silicon.bus import Bus
from pytest_lan_hil.virtual.silicon.core import Core
from pytest_lan_hil.virtual.silicon.fabric import Fabric
from pytest_lan_hil.virtual.silicon.stm32f412.block import Block
from pytest_lan_hil.virtual.silicon.stm32f412.currents import CURRENTS
from pytest_lan_hil.virtual.silicon.stm32f412.dma import Dma, Stream
from pytest_lan_hil.virtual.silicon.stm32f412.exti import RTC_WAKEUP, Exti, Syscfg
from pytest_lan_hil.virtual.silicon.stm32f412.flash import FlashController
from pytest_lan_hil.virtual.silicon.stm32f412.gpio import PORTS, Port
from pytest_lan_hil.virtual.silicon.stm32f412.power import PowerModel
from pytest_lan_hil.virtual.silicon.stm32f412.pwr import Pwr
from pytest_lan_hil.virtual.silicon.stm32f412.rcc import AHB1, APB1, APB2, Rcc
from pytest_lan_hil.virtual.silicon.stm32f412.rtc import Rtc
from pytest_lan_hil.virtual.silicon.stm32f412.small import Dbgmcu, Iwdg, Signature
from pytest_lan_hil.virtual.silicon.stm32f412.tim import Tim
from pytest_lan_hil.virtual.silicon.stm32f412.usart import Usart

_NOMINAL_SUPPLY_V = 3.3  # of a NUCLEO board
_AF7 = 7
# (name, base, irq, APB1 bit, (TX pin, RX pin), (RX stream, TX streams) of DMA1, channel)
_USARTS = (
    ("USART2", 0x4000_4400, 38, 17, (0x35, 0x36), (5, (6,)), 4),  # PD5, PD6
    ("USART3", 0x4000_4800, 39, 18, (0x38, 0x39), (1, (3,)), 4),  # PD8, PD9: the ST-LINK's port
)
_TIMERS = (("TIM2", 0x4000_0000, 28, 32), ("TIM3", 0x4000_0400, 29, 16), ("TIM4", 0x4000_0800, 30, 16),
           ("TIM5", 0x4000_0C00, 50, 32))  # fmt: skip


class Host(Protocol):
    """The chip around the peripherals."""

    fabric: Fabric
    bus: Bus
    core: Core

    @property
    def switched_off(self) -> bool:
        """In Standby mode."""
        ...

    def note(self, sentence: str) -> None:
        """Something that a reader of the chip's figures must know."""
        ...

    def clocks_changed(self) -> None:
        """A clock, an oscillator, an enable or the regulator's scale has changed."""
        ...

    def set_flash(self, setting: FlashSetting) -> None:
        """Wait states or ART have changed."""
        ...

    def stall(self, ticks: int) -> None:
        """The CPU stands still for this long."""
        ...

    def request_reset(self, kind: str) -> None:
        """Ask for a reset."""
        ...

    def clocks_kept(self) -> bool:
        """DBGMCU keeps the clocks of the present low-power mode alive."""
        ...


class Parts:
    """All peripherals, on the bus of their chip.

    Args:
        host: The chip.
        serial, on_current, on_level: As for the chip.

    Attributes:
        blocks: Those that a system reset resets.
    """

    def __init__(
        self,
        host: Host,
        *,
        serial: str,
        on_current: Callable[[int, float], None],
        on_level: Callable[[int, bool], None],
    ) -> None:
        fabric, note = host.fabric, host.note
        self.rcc = Rcc(
            fabric,
            note=note,
            changed=host.clocks_changed,
            reset_peripheral=self.reset_peripheral,
            backup_writable=lambda: self.pwr.backup_writable,
            reset_backup=lambda: self.rtc.forget(),
        )
        self.pwr = Pwr(fabric, note=note, pll_on=lambda: self.rcc.pll_on, changed=host.clocks_changed)
        self.dbgmcu = Dbgmcu(fabric, note=note, changed=lambda: self.power_model.update())
        self.flash = FlashController(
            fabric,
            host.bus,
            note=note,
            supply_v=lambda: self.power_model.supply_v,
            stall=host.stall,
            polled_by_cpu=lambda: host.core.accessing,
            on_setting=host.set_flash,
            on_lines_lost=lambda: host.core.blocks.invalidate_cache(),
            on_busy=lambda busy: self.power_model.set_active(
                "FLASH", CURRENTS.flash_busy.value if busy else 0.0
            ),
        )
        self.power_model = PowerModel(
            lambda: fabric.now,
            on_current,
            supply_v=_NOMINAL_SUPPLY_V,
            art_on=lambda: self.flash.setting.instruction_cache,
            clocks_kept=host.clocks_kept,
        )
        self.power_model.rcc, self.power_model.pwr = self.rcc, self.pwr
        syscfg = Syscfg(fabric, note=note)
        self.exti = Exti(fabric, syscfg, note=note, signal_event=lambda: host.core.signal_event())
        wakeup = False

        def on_wakeup(level: bool) -> None:  # noqa: FBT001 - a signal's value
            nonlocal wakeup
            if level != wakeup:
                wakeup = level
                self.exti.edge(RTC_WAKEUP, rising=level)
                if level and host.switched_off:
                    host.request_reset("standby")

        self.rtc = Rtc(
            fabric,
            note=note,
            clock_hz=lambda: self.rcc.rtc_hz,
            writable=lambda: self.pwr.backup_writable,
            on_wakeup=on_wakeup,
        )
        self.iwdg = Iwdg(
            fabric, note=note, on_start=self.rcc.keep_lsi, on_bite=lambda: host.request_reset("iwdg")
        )

        def level_changed(pin: int, level: bool) -> None:  # noqa: FBT001 - a signal's value
            on_level(pin, level)
            self.exti.pin_edge(pin, level)

        self.ports = [Port(fabric, n, note=note, on_level=level_changed) for n in range(len(PORTS))]
        dma1, dma2 = (Dma(fabric, n, note=note) for n in (1, 2))
        usarts = [_make_usart(self, host, dma1, *row) for row in _USARTS]
        self.uarts = {"uart0": usarts[1], "uart1": usarts[0]}
        timers = [
            Tim(fabric, name, base, irq, bits=bits, note=note, clock_hz=lambda: self.rcc.timer_hz(APB1))
            for name, base, irq, bits in _TIMERS
        ]
        gated: list[tuple[Block, int, int]] = [
            *((port, AHB1, n) for n, port in enumerate(self.ports)),
            (dma1, AHB1, 21),
            (dma2, AHB1, 22),
            *((timer, APB1, n) for n, timer in enumerate(timers)),
            *((usart, APB1, row[3]) for usart, row in zip(usarts, _USARTS, strict=True)),
            (self.pwr, APB1, 28),
            (self.rtc, APB1, 10),
            (syscfg, APB2, 14),
        ]
        self._gated = {(register, bit): block for block, register, bit in gated}
        for (register, bit), block in self._gated.items():
            block.clocked = partial(self.rcc.enabled, register, bit)
        self.blocks: list[Block] = [self.rcc, self.flash, self.exti, self.iwdg, *self._gated.values()]
        for part in (*self.blocks, self.dbgmcu, Signature(serial)):
            host.bus.add_peripheral(part)

    def reset_peripheral(self, register: int, bit: int) -> None:
        """A bit of an RCC reset register has risen; the RTC's interface forgets nothing by it."""
        block = self._gated.get((register, bit))
        if block is not None and block is not self.rtc:
            block.reset()


def _make_usart(
    parts: Parts,
    host: Host,
    dma: Dma,
    name: str,
    base: int,
    irq: int,
    _bit: int,
    pins: tuple[int, int],
    streams: tuple[int, tuple[int, ...]],
    channel: int,
) -> Usart:
    """A USART with its pins and DMA streams."""

    def serving(numbers: tuple[int, ...]) -> Stream | None:
        for number in numbers:
            if dma.clocked() and dma.streams[number].serves(channel, base + 4):
                return dma.streams[number]
        return None

    def connected() -> tuple[bool, bool]:
        tx, rx = (parts.ports[pin >> 4].function(pin & 15) == _AF7 for pin in pins)
        return tx, rx

    def start_bit() -> None:
        for level in (False, True):
            parts.exti.pin_edge(pins[1], level)

    usart = Usart(
        host.fabric,
        name,
        base,
        irq,
        note=host.note,
        pclk_hz=lambda: parts.rcc.pclk_hz(APB1),
        pins_connected=connected,
        rx_stream=partial(serving, (streams[0],)),
        tx_stream=partial(serving, streams[1]),
        on_start_bit=start_bit,
    )
    for number in (streams[0], *streams[1]):
        dma.connect(number, channel, usart)
    return usart
