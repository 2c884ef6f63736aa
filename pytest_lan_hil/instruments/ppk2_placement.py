"""Which sample of the record each received word is: what was lost on the way must not move what follows.

A word carries a counter of six bits, so it tells a loss up to whole turns of 64 samples. The turns follow
from the times at which the words arrived: samples come at 100 kS/s, and a loss of one turn makes everything
after it late by 0.64 ms for good, while a busy computer makes it late only for a while. Nordic's own software
gives up at that point; a loss of 64 samples out of an inference of 10 ms would be an error of 6 % in silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments.ppk2_models import SAMPLE_RATE_HZ

TURN = 64
# A word that is damaged between good ones is no loss (Nordic's software allows for as many).
_MOST_DAMAGED = 4
# More breaks than this within one turn: the bytes are out of step, and no counter is one.
_MOST_BREAKS = 16
# How many arrivals tell, at least and at most, what the usual delay was before and after a loss.
_FEWEST_ARRIVALS, _ARRIVALS = 8, 64
# A rise of the delay that can't be anything less than one turn.
_RISE = 0.75 * TURN


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How many words had arrived at which time.

    Attributes:
        words: shape (n,), int64, rising, from 1.
        times_s: shape (n,), float64, rising.
    """

    words: NDArray[np.int64]
    times_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Placement:
    """Words to samples.

    Attributes:
        first_word: shape (runs,), int64: word that starts each run of consecutive samples.
        first_sample: shape (runs,), int64: its sample.
        words: Number of words that can be used; those behind them are out of step.
        damaged: Spans of words (start, stop) that are in their place but whose content can't be trusted.
    """

    first_word: NDArray[np.int64]
    first_sample: NDArray[np.int64]
    words: int
    damaged: tuple[tuple[int, int], ...]

    def sample_of(self, words: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sample that each word is."""
        run = np.searchsorted(self.first_word, words, side="right") - 1
        return self.first_sample[run] + words - self.first_word[run]

    def received(self, words: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many samples are over once so many words (at least one) have arrived."""
        return self.sample_of(words - 1) + 1

    @property
    def samples(self) -> int:
        """Length of the record."""
        return int(self.received(np.array([self.words]))[0]) if self.words else 0


def place(counters: NDArray[np.uint8], arrivals: Arrivals) -> Placement:
    """Find every word's sample.

    Args:
        counters: shape (n,), uint8: of the words, in order.
        arrivals: When they came.
    """
    losses, damaged, words = _counted_losses(counters)
    known = _placement(losses, damaged, words)
    inside = arrivals.words <= words
    marks, times = arrivals.words[inside], arrivals.times_s[inside]
    for mark, missing in _hidden_losses(known.received(marks), times):
        low, high = int(marks[mark - 1]), int(marks[mark])
        breaks = [word for word in losses if low <= word <= high]
        if breaks:
            losses[breaks[-1]] += missing
        else:  # somewhere among these words
            losses[low] = losses.get(low, 0) + missing
            damaged.append((low, high))
    return _placement(losses, damaged, words)


def _placement(losses: dict[int, int], damaged: list[tuple[int, int]], words: int) -> Placement:
    starts = np.array([0, *(word for word in sorted(losses) if word > 0)], np.int64)
    missing = np.array([losses.get(int(word), 0) for word in starts], np.int64)
    return Placement(starts, starts + np.cumsum(missing), words, tuple(sorted(damaged)))


def _counted_losses(counters: NDArray[np.uint8]) -> tuple[dict[int, int], list[tuple[int, int]], int]:
    """Samples that are missing before a word, spans of damaged words, and how many words can be used."""
    steps = (counters[1:] - counters[:-1]) & np.uint8(TURN - 1)
    breaks = np.flatnonzero(steps != 1) + 1
    words = len(counters)
    crowded = np.flatnonzero(breaks[_MOST_BREAKS:] - breaks[:-_MOST_BREAKS] < TURN)
    if len(crowded):
        words = int(breaks[crowded[0]])
        breaks = breaks[breaks < words]
    losses: dict[int, int] = {}
    damaged: list[tuple[int, int]] = []
    done = 0
    for found in breaks:
        word = int(found)
        if word <= done:
            continue
        expected = int(counters[word - 1]) + 1
        for length in range(1, _MOST_DAMAGED + 1):
            after = word + length
            if after < words and int(counters[after]) == (expected + length) % TURN:
                damaged.append((word, after))
                done = after
                break
        else:
            losses[word] = (int(counters[word]) - expected) % TURN
    return losses, damaged, words


def _hidden_losses(samples: NDArray[np.int64], times_s: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Arrivals before which whole turns were lost, and how many samples that are."""
    count = len(samples)
    found: list[tuple[int, int]] = []
    if count < 2 * _FEWEST_ARRIVALS:
        return found
    delay = (times_s - times_s[0]) * SAMPLE_RATE_HZ - samples
    beyond = np.full(_ARRIVALS, np.inf)
    while True:
        lowest = np.lib.stride_tricks.sliding_window_view(
            np.concatenate((beyond, delay, beyond)), _ARRIVALS
        ).min(axis=1)
        before, after = lowest[:count], lowest[_ARRIVALS : _ARRIVALS + count]
        rise = (after - before)[_FEWEST_ARRIVALS : count - _FEWEST_ARRIVALS + 1]
        risen = np.flatnonzero(rise >= _RISE)
        if not len(risen):
            return found
        mark = int(risen[0]) + _FEWEST_ARRIVALS
        missing = TURN * max(round(float(rise[risen[0]]) / TURN), 1)
        found.append((mark, missing))
        delay[mark:] -= missing
