"""The steps of a session of two images, and the node ids of its tests. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Side(str, Enum):
    """Which of the two images."""

    BASE = "base"
    HEAD = "head"


#: Which image comes when in a block: what drifts steadily hits both alike.
TURNS = (Side.BASE, Side.HEAD, Side.HEAD, Side.BASE)


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """One image on the board, and every test once.

    Attributes:
        number: From 1, in order of time.
        block: From 0.
        side: Of the image.
    """

    number: int
    block: int
    side: Side

    @property
    def name(self) -> str:
        """What stands in the node ids of the step's tests: "2-head"."""
        return f"{self.number}-{self.side.value}"


def steps_of(blocks: int) -> tuple[Step, ...]:
    """The steps of a session, in order."""
    turns = [(block, side) for block in range(blocks) for side in TURNS]
    return tuple(Step(number, block, side) for number, (block, side) in enumerate(turns, start=1))


def without_step(nodeid: str, step: Step) -> str:
    """The node id without the step: "f.py::test[nrf52840-2-head]" to "f.py::test[nrf52840]"."""
    head, bracket, text = nodeid.partition("[")
    parts = text.removesuffix("]")
    for found in (f"-{step.name}", f"{step.name}-", step.name):
        before, there, after = parts.rpartition(found)
        if there:
            return f"{head}{bracket}{before}{after}]"
    return nodeid


def side_of(nodeid: str) -> Side | None:
    """The side whose image a test of a session had, by its node id; None for a test that had neither."""
    return next((side for side in Side if nodeid.endswith(f"-{side.value}]")), None)
