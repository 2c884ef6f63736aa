"""Properties of one test for JUnit XML (pytest's `record_property` pairs)."""

from __future__ import annotations

from pytest_lan_hil.model.record import TestRecord


def properties(test: TestRecord, *, simulated: bool | None = None) -> list[tuple[str, str]]:
    """Name and value of each property, all beginning with `hil_`, in a fixed order.

    `simulated` is the run's own word, for a test that measured nothing; a measurement's label goes before it.
    Figures are in the quantity's display unit, in Python's shortest round-trip form ("inf" is an open end).
    """
    measurements = test.measurements or {}
    if any(m.simulated for m in measurements.values()):
        simulated = True
    elif measurements and simulated is None:
        simulated = False
    pairs = [("hil_outcome", test.outcome.value)]
    if simulated is not None:
        pairs.append(("hil_simulated", "true" if simulated else "false"))
    if test.firmware is not None:
        pairs.append(("hil_firmware_sha256", test.firmware.sha256))
        pairs.append(("hil_firmware_proved", "true" if test.firmware.proved else "false"))
        if test.firmware.build:
            pairs.append(("hil_firmware_build", test.firmware.build))
    for name, measurement in sorted(measurements.items()):
        estimate = measurement.estimate
        pairs += [
            (f"hil_{name}_statistic", estimate.statistic),
            (f"hil_{name}_value", repr(estimate.value)),
            (f"hil_{name}_low", repr(estimate.low)),
            (f"hil_{name}_high", repr(estimate.high)),
            (f"hil_{name}_unit", measurement.unit),
            (f"hil_{name}_n", str(measurement.n)),
        ]
    for verdict in test.verdicts:
        budget = verdict.budget
        pairs += [
            (f"hil_{budget.quantity}_budget", f"{budget.statistic} {budget.limit:g} {verdict.unit}"),
            (f"hil_{budget.quantity}_verdict", verdict.kind.value),
        ]
    for found in test.comparisons:
        name = f"hil_{found.subject.quantity}"
        pairs.append((f"{name}_comparison", found.kind.value))
        if found.base is not None and found.head is not None:
            pairs += [
                (f"{name}_base", repr(found.base.value)),
                (f"{name}_change", repr(found.change)),
                (f"{name}_change_low", repr(found.change_low)),
                (f"{name}_change_high", repr(found.change_high)),
                (f"{name}_margin", repr(found.margin)),
            ]
    return pairs
