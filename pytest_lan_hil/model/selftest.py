"""What a bench can't tell apart from nothing: the floors that its self-test found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SelfTest:
    """The result of one `lan-hil selftest`.

    Attributes:
        analyzer: Model and serial number of the power analyzer that it holds for.
        made_at: ISO 8601, UTC.
        simulated: True if the bench was.
        supply_v: Mean voltage while it was made, 0 if no power was measured.
        offset_a: Mean current with the load disconnected; None if that was not tried.
        noise_a: 95 % half-width of a mean over `noise_block_s` of that record, from its own spread.
        noise_block_s: Length of those blocks.
        latency_floor_ms: Shortest difference in latency that the edges can show; None if not tried.
        edges: How many edges that rests on.
    """

    analyzer: str
    made_at: str
    simulated: bool
    supply_v: float = 0.0
    offset_a: float | None = None
    noise_a: float = 0.0
    noise_block_s: float = 0.0
    latency_floor_ms: float | None = None
    edges: int = 0

    @property
    def power_floor_mw(self) -> float | None:
        """Below this a mean power can't be told from nothing."""
        if self.offset_a is None:
            return None
        return (abs(self.offset_a) + self.noise_a) * self.supply_v * 1e3

    def floor(self, quantity: str, *, latency_ms: float | None = None) -> float | None:
        """The floor of a quantity in its display unit; None where the self-test says nothing about it.

        Args:
            quantity: Name in the quantity table.
            latency_ms: Length of the windows, which the floor of an energy depends on.
        """
        if quantity == "latency":
            return self.latency_floor_ms
        power = self.power_floor_mw
        if quantity == "energy" and power is not None and latency_ms is not None:
            return power * latency_ms  # mW times ms is uJ
        return power if quantity == "power" else None
