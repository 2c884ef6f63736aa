"""What the `power`, `accuracy` and `hil_metrics` fixtures give a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

from pytest_lan_hil.dut.hearing import labels
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import Measurement
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.run.accuracy.dataset import Dataset, load_dataset
from pytest_lan_hil.run.accuracy.evaluation import Evaluation
from pytest_lan_hil.run.accuracy.play import play
from pytest_lan_hil.run.recording import Recording
from pytest_lan_hil.run.test_run import TestRun


class Power:
    """Record power in a part of a test.

    A test that asks for this fixture decides itself when to record; its budget markers judge what was
    recorded, all captures together.

        with power.capture() as capture:
            dut.infer(100)
        assert capture.latency.spread.maximum < 12
    """

    def __init__(self, test: TestRun) -> None:
        self._test = test

    def capture(self) -> AbstractContextManager[Recording]:
        """Record while the block runs; read `power`, `latency` and `energy` after it.

        Raises:
            BlockedError: The analyzer failed, or the debug domain could not be shut down.
        """
        return self._test.capture()


class Accuracy:
    """Play labelled recordings to the DUT, and count how many it names rightly.

        @pytest.mark.accuracy_budget(percent=93.5)
        def test_spoken_digits(dut, accuracy):
            accuracy.evaluate("datasets/spoken-digits")

    Args:
        test: Which the measurements belong to.
        folder: That datasets are given relative to: the test file's.
    """

    def __init__(self, test: TestRun, folder: Path) -> None:
        self._test = test
        self._folder = folder

    def evaluate(self, dataset: str | Path | Dataset, limit: int | None = None) -> Evaluation:
        """Let the DUT hear every recording of a dataset; once in a test.

        Measures `accuracy` (with Wilson's 95 % interval), `confidence` and `dropped_frames`; the record and
        the report get the confusion matrix.

        Args:
            dataset: Folder of `{label}_{speaker}_{index}.wav` files, or one that was loaded before.
            limit: Play only so many.

        Raises:
            InputError: A recording can't be used, the DUT's network does not know a label, the firmware can't
                be given recordings, or a dataset was evaluated in this test before.
            MeasurementInvalid: The DUT lost frames.
            BlockedError, DutError: The bench or the DUT failed.
        """
        if self._test.confusion is not None:
            raise InputError(
                f"{self._test.nodeid} evaluates a second dataset: a test has one accuracy",
                fix="write a test for each dataset",
            )
        loaded = dataset if isinstance(dataset, Dataset) else load_dataset(self._folder / dataset)
        chosen = loaded.first(limit)
        bench = self._test.open_bench()
        _, dut = bench.flashable()
        known = labels(dut)
        chosen.require_labels(known)
        replies = tuple(play(dut, chosen, known))
        source = "firmware on the DUT"
        evaluation = Evaluation(chosen, known, replies, source, bench.simulated)
        for measurement in (evaluation.accuracy, evaluation.confidence, evaluation.dropped_frames):
            self._test.add(measurement)
        self._test.confusion = evaluation.confusion
        return evaluation


class Metrics:
    """Add measurements of your own to the run's record, and read those made so far."""

    def __init__(self, test: TestRun) -> None:
        self._test = test

    @property
    def measurements(self) -> Mapping[str, Measurement]:
        """What this test has measured so far, by quantity."""
        return MappingProxyType(self._test.measurements)

    def record(
        self, name: str, values: Sequence[float], *, unit: str = "", instrument_error: float = 0.0
    ) -> Measurement:
        """Record a quantity of your own.

        Args:
            name: Lower case letters, digits and `_`; a name of the quantity table keeps that table's unit.
            values: One or more finite numbers, in order of time.
            unit: For people; required unless `name` stands in the quantity table.
            instrument_error: 95 % half-width of the systematic error, in the same unit.

        Raises:
            InputError: A bad name, no values, a value that is not finite, or a unit other than the table's.
        """
        row = QUANTITIES.get(name)
        if row is not None and unit not in ("", row.unit):
            raise InputError(
                f"hil_metrics.record({name!r}, unit={unit!r}): {name} is measured in {row.unit}",
                fix=f"convert the values to {row.unit} and drop the unit",
            )
        if row is None and not unit:
            raise InputError(
                f"hil_metrics.record({name!r}): a number without its unit is not published",
                fix='give unit="ms", or unit="1" for a count or ratio',
            )
        self._test.observe(name, values, unit=row.unit if row else unit, instrument_error=instrument_error)
        return self._test.measurements[name]
