"""Words of the alerts: Go templates that Prometheus fills, with the figure and its target.

Template functions: https://prometheus.io/docs/prometheus/latest/configuration/template_reference/
"""

from __future__ import annotations

from monitoring.generate.rules_promql import JOIN, Source, share_matters, tightest, worst
from pytest_lan_hil.model.quantities import Direction, Quantity, unit_text
from pytest_lan_hil.publish.openmetrics import metric_names

# Where the documents of this project are read. A fork sets its own, and runs the generator.
RUNBOOKS = "https://github.com/liquid-audio-nets/pytest-lan-hil/blob/main/docs/runbooks"

_SIMULATED = '{{ if eq $labels.simulated "true" }}, simulated{{ end }}'
RUN = "{{ $labels.board }} on bench {{ $labels.bench }}" + _SIMULATED
DEVICE = "{{ $labels.device }} ({{ $labels.board }} at {{ $labels.bench }}" + _SIMULATED + ")"

# By base unit: the template function that makes the figure readable, and what stands behind it.
_FORMATS = {
    "seconds": ("humanizeDuration", ""),
    "joules": ("humanize", "J"),
    "watts": ("humanize", "W"),
    "bytes": ("humanize1024", "B"),
    "ratio": ("humanizePercentage", ""),
    "celsius": ('printf "%.1f"', " °C"),
    "hertz": ('printf "%.4g"', "/s"),
}
_PLAIN = ('printf "%.3g"', "")


def runbook(alert: str) -> str:
    """Address of the alert's page."""
    return f"{RUNBOOKS}/{alert.lower()}.md"


def subject(source: Source) -> str:
    """Whom the alert is about."""
    return RUN if source is Source.RUN else DEVICE


def shown(quantity: Quantity, value: str) -> str:
    """A template that shows `value`, a template expression, in the quantity's unit."""
    form, unit = _PLAIN if quantity.unit == "1" else _FORMATS[metric_names(quantity).unit]
    return f"{{{{ {value} | {form} }}}}{unit}"


def of_alert(metric: str) -> str:
    """The metric with the alert's own labels, as a format that `looked_up` fills."""
    return f"{metric}{{{','.join(f'{label}=%q' for label in JOIN)}}}"


def looked_up(quantity: Quantity, limit: str, otherwise: str) -> str:
    """A template that shows the limit's value, a query made with `of_alert`, else the text `otherwise`."""
    query = f'printf "{limit}" {" ".join(f"$labels.{label}" for label in JOIN)} | query'
    found = shown(quantity, ". | first | value")
    return f"{{{{ with {query} }}}}{found}{{{{ else }}}}{otherwise}{{{{ end }}}}"


def default_text(quantity: Quantity, default: float | None) -> str:
    """What stands for the target of a board that has none; `default` in display unit."""
    return (
        "unknown" if default is None else f"{default:g}{unit_text(quantity.unit)} (no target for this board)"
    )


def _end(quantity: Quantity) -> str:
    return "lower" if quantity.direction is Direction.LOWER else "upper"


def _side(quantity: Quantity) -> str:
    return "above" if quantity.direction is Direction.LOWER else "below"


def over_target(quantity: Quantity, source: Source, default: float | None) -> tuple[str, str]:
    """Summary and description of a figure that breaks its target; `default` in display unit."""
    summary = f"{subject(source)}: {quantity.title} {_side(quantity)} target"
    budget = tightest(quantity.direction, of_alert(metric_names(quantity).budget))
    target = looked_up(quantity, budget, default_text(quantity, default))
    value = shown(quantity, "$value")
    if source is Source.DEVICE:
        what = f"{{{{ $labels.statistic }}}} of {quantity.title}"
        return summary, f"{what} is {value}, {_side(quantity)} the target of {target}."
    return summary, (
        f"Even the {_end(quantity)} end of the 95 % interval, {value}, is {_side(quantity)} the target of"
        f" {target} ({{{{ $labels.statistic }}}} of {quantity.title})."
    )


def regression(quantity: Quantity) -> tuple[str, str]:
    """Summary and description of a run that is worse than its baseline."""
    summary = f"{RUN}: {quantity.title} is worse than its baseline"
    worst_baseline = worst(quantity.direction, of_alert(metric_names(quantity).baseline))
    baseline = looked_up(quantity, worst_baseline, "unknown")
    unit = " points" if quantity.unit == "%" else unit_text(quantity.unit)
    amount = f"{quantity.margin.absolute:g}{unit}"
    share = f"{100 * quantity.margin.relative:g} % and " if share_matters(quantity) else ""
    return summary, (
        f"Even the {_end(quantity)} end of the 95 % interval, {shown(quantity, '$value')}, is more than"
        f" {share}{amount} {_side(quantity)} the baseline of {baseline}"
        f" ({{{{ $labels.statistic }}}} of {quantity.title})."
    )
