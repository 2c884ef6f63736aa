"""The choices of one training."""

from __future__ import annotations

from dataclasses import dataclass, field

from liquid.clips import Mixture


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long, how fast, with what."""

    epochs: int = 60  # each with clips made anew
    passes: int = 4  # over the clips of one epoch
    learning_rate: float = 2.5e-3
    weight_decay: float = 1e-3
    masked: float = 0.4  # share of the clips of which a few neighbouring bands are taken away
    mixture: Mixture = field(default_factory=Mixture)
