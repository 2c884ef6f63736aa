"""What one test asks for on its board, put together from its markers and the session's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pytest_lan_hil.model.comparison import Comparison
from pytest_lan_hil.model.measurement import Budget, Measurement
from pytest_lan_hil.model.quantities import Margin


@dataclass(frozen=True, slots=True)
class Asked:
    """What one test asks for.

    Attributes:
        budgets: In the order in which they are judged.
        image_name: Of the image to flash; None for the board's default.
        needs: Capabilities of the bench that the test names itself.
        margins: Quantity to margin, for each that is compared with a baseline.
    """

    budgets: tuple[Budget, ...] = ()
    image_name: str | None = None
    needs: tuple[str, ...] = ()
    margins: Mapping[str, Margin] = field(default_factory=dict)

    @property
    def quantities(self) -> tuple[str, ...]:
        """Everything that has to be measured, each once."""
        return tuple(dict.fromkeys([*(budget.quantity for budget in self.budgets), *self.margins]))


class Comparing(Protocol):
    """The comparisons of one test: with a baseline (`run.comparing`), or of two images (`run.ab`)."""

    @property
    def wants_another(self) -> bool:
        """True if one more repeat may settle what is open."""

    @property
    def ending(self) -> str:
        """Why there is no further repeat though something is open; "" if there was to be none."""

    def judge(self, measurements: Mapping[str, Measurement]) -> tuple[Comparison, ...]:
        """Take in what the test measured, and compare.

        Raises:
            InputError: What it is compared with is of something else.
        """
