"""An evaluation with its verdict, as JSON and as lines of text. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_lan_hil.judge.budgets import judge
from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.measure.shares import deciding_count
from pytest_lan_hil.model.measurement import Budget, Estimate, Verdict, VerdictKind
from pytest_lan_hil.model.record import FirmwareIdentity
from pytest_lan_hil.publish.confusion import aligned, matrix_lines
from pytest_lan_hil.publish.rows import SIMULATED_LABEL
from pytest_lan_hil.run.accuracy.evaluation import Evaluation, Part


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation of one image on one board.

    Attributes:
        board, bench: Names.
        firmware: The image, proved.
        evaluation: What came of it.
        target_percent: The board's target, None if it has none.
        resumed: How many of the replies an earlier run had brought.
    """

    board: str
    bench: str
    firmware: FirmwareIdentity | None
    evaluation: Evaluation
    target_percent: float | None
    resumed: int

    @property
    def verdict(self) -> Verdict | None:
        """Of the accuracy against the board's target; None without a target."""
        if self.target_percent is None:
            return None
        budget = Budget("accuracy", self.target_percent, "share", f"board {self.board}")
        return judge(self.evaluation.accuracy, budget)


def to_json(report: Report) -> dict[str, Any]:
    """Everything about it; docs/how-to/test-accuracy.md says what the keys mean."""
    evaluation = report.evaluation
    accuracy = evaluation.accuracy.estimate
    verdict = report.verdict
    replies = evaluation.replies
    return {
        "board": report.board,
        "n": evaluation.n,
        "correct": evaluation.correct,
        "accuracy_percent": accuracy.value,
        "ci95_percent": [accuracy.low, accuracy.high],
        "simulated": evaluation.simulated,
        "bench": report.bench,
        "target_percent": report.target_percent,
        "verdict": verdict.kind.value if verdict else None,
        "reason": verdict.reason if verdict else None,
        "settled_by_n": _settled_by(verdict),
        "confidence_percent": evaluation.confidence.estimate.value,
        "dropped_frames": 0,
        "frames": sum(reply.frames for reply in replies),
        "frames_ran": sum(reply.ran for reply in replies),
        "resent": sum(reply.resent for reply in replies),
        "resumed": report.resumed,
        "resampled": {str(rate): count for rate, count in evaluation.dataset.rates_hz.items()},
        "audio_s": evaluation.dataset.seconds,
        "dut_s": sum(reply.dut_s for reply in replies),
        "wall_s": sum(reply.wall_s for reply in replies),
        "dataset": str(evaluation.dataset.folder),
        "dataset_sha256": evaluation.dataset.sha256,
        "firmware": dataclasses.asdict(report.firmware) if report.firmware else None,
        "labels": list(evaluation.labels),
        "confusion": [list(row) for row in evaluation.confusion.counts],
        "per_class": [_part_json(part, "label") for part in evaluation.per_class],
        "per_speaker": [_part_json(part, "speaker") for part in evaluation.per_speaker],
    }


def _settled_by(verdict: Verdict | None) -> int | None:
    """Recordings that would settle an inconclusive verdict, if the share stays as it is."""
    if verdict is None or verdict.estimate is None or verdict.kind is not VerdictKind.INCONCLUSIVE:
        return None
    needed = deciding_count(verdict.estimate.value, verdict.budget.limit)
    return int(needed) if needed != float("inf") else None


def _part_json(part: Part, kind: str) -> dict[str, Any]:
    interval = _interval(part)
    return {
        kind: part.name,
        "n": part.n,
        "correct": part.correct,
        "accuracy_percent": part.percent,
        "ci95_percent": [interval.low, interval.high],
        "confused_with": part.confused or None,
        "confused": part.confused_count,
    }


def _interval(part: Part) -> Estimate:
    values = [100.0] * part.correct + [0.0] * (part.n - part.correct)
    return from_values("accuracy", values).estimate


def to_lines(report: Report) -> list[str]:
    """What a reader wants to know, in the order in which it is wanted."""
    evaluation = report.evaluation
    accuracy = evaluation.accuracy.estimate
    replies = evaluation.replies
    frames, ran = sum(reply.frames for reply in replies), sum(reply.ran for reply in replies)
    lines = [f"board {report.board} on bench {report.bench}"]
    if evaluation.simulated:
        lines.append(SIMULATED_LABEL)
    lines += [
        f"dataset {evaluation.dataset.folder}, sha256 {evaluation.dataset.sha256[:16]}",
        *(f"note: {text}" for text in evaluation.resampled),
        "",
        f"accuracy {accuracy.value:.2f} %: {evaluation.correct} of {evaluation.n} recordings named rightly,"
        f" 95 % interval {accuracy.low:.2f} to {accuracy.high:.2f} % (Wilson)",
        _verdict_line(report.verdict),
        f"confidence {evaluation.confidence.estimate.value:.1f} % on average; the network ran in {ran} of"
        f" {frames} frames, none were dropped",
        *_resent(sum(reply.resent for reply in replies)),
        _time_line(report),
        "",
        *_parts_table("label", evaluation.per_class),
        "",
        *_parts_table("speaker", evaluation.per_speaker),
        "",
        "confusion matrix: a row for what was said, a column for what the DUT heard",
        *matrix_lines(evaluation.confusion),
    ]
    return lines


def _verdict_line(verdict: Verdict | None) -> str:
    if verdict is None:
        return "no target: the board file has no accuracy_percent"
    word = "below" if verdict.kind is VerdictKind.OVER else verdict.kind.value
    return f"{word}: {verdict.reason}"


def _resent(count: int) -> list[str]:
    return [f"note: {count} recordings were sent twice, because a piece arrived damaged"] if count else []


def _time_line(report: Report) -> str:
    replies = report.evaluation.replies
    dut_s, wall_s = sum(reply.dut_s for reply in replies), sum(reply.wall_s for reply in replies)
    took = f"{report.evaluation.dataset.seconds:.1f} s of audio took {dut_s:.1f} s"
    if not report.evaluation.simulated:
        return took
    pace = f": {dut_s / wall_s:.2f} virtual seconds per second" if wall_s > 0 else ""
    return f"{took} of virtual time in {wall_s:.1f} s{pace}"


def _parts_table(kind: str, parts: Sequence[Part]) -> list[str]:
    rows = [(kind, "n", "right", "accuracy", "95 % interval", "most often taken for")]
    for part in parts:
        interval = _interval(part)
        confused = f"{part.confused} ({part.confused_count})" if part.confused else ""
        rows.append(
            (part.name, str(part.n), str(part.correct), f"{part.percent:.1f} %",
             f"{interval.low:.1f} to {interval.high:.1f} %", confused)
        )  # fmt: skip
    return aligned(rows)
