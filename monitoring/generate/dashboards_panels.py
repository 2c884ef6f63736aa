"""Panels, variables and the frame of a Grafana dashboard as plain dictionaries, in the schema of Grafana 13.

Checked against the types that Grafana publishes for it (npm: @grafana/schema) by monitoring/tools.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

SCHEMA_VERSION = 42
SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24

# Grafana's ids of the base units that metrics are published in.
UNITS = {
    "seconds": "s",
    "watts": "watt",
    "joules": "joule",
    "bytes": "bytes",
    "ratio": "percentunit",
    "hertz": "hertz",
    "celsius": "celsius",
}


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel.

    Attributes:
        expr: PromQL, with Grafana's variables.
        legend: With `{{label}}`.
        style: How its lines are drawn: a key of `_STYLES`; "" for a plain line.
    """

    expr: str
    legend: str = ""
    style: str = ""


_DASHED = {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [10, 10]}}
_STYLES: Mapping[str, tuple[Json, ...]] = {
    "budget": (_DASHED, {"id": "color", "value": {"mode": "fixed", "fixedColor": "red"}}),
    "baseline": (_DASHED, {"id": "color", "value": {"mode": "fixed", "fixedColor": "blue"}}),
    "median": ({"id": "custom.lineWidth", "value": 1}, {"id": "custom.fillOpacity", "value": 0}),
    "interval": (
        {"id": "custom.lineWidth", "value": 0},
        {"id": "custom.pointSize", "value": 3},
        {"id": "color", "value": {"mode": "fixed", "fixedColor": "semi-dark-yellow"}},
    ),
}

# Of a share of the budget: from nine tenths on it is worth a look, beyond 1 the budget is broken.
OF_BUDGET: Json = {
    "mode": "absolute",
    "steps": [
        {"color": "green", "value": None},
        {"color": "orange", "value": 0.9},
        {"color": "red", "value": 1},
    ],
}
_PLAIN: Json = {"mode": "absolute", "steps": [{"color": "text", "value": None}]}


def _targets(queries: Sequence[Query], **more: Any) -> list[Json]:
    return [
        {
            "refId": chr(ord("A") + index),
            "datasource": SOURCE,
            "editorMode": "code",
            "expr": query.expr,
            "legendFormat": query.legend or "__auto",
            "range": True,
            **more,
        }
        for index, query in enumerate(queries)
    ]


def _panel(kind: str, title: str, text: str, width: int, height: int, **more: Any) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": text,
        "datasource": SOURCE,
        "gridPos": {"w": width, "h": height},
        **more,
    }


def timeseries(
    title: str, text: str, queries: Sequence[Query], unit: str, *, width: int = 12, draw: str = "line"
) -> Json:
    """Lines over time; `draw` is "line", "points" (sparse runs, joined) or "bars" (stacked)."""
    custom: Json = {"drawStyle": "bars" if draw == "bars" else "line", "lineWidth": 2, "fillOpacity": 5}
    if draw == "bars":
        custom |= {"fillOpacity": 80, "lineWidth": 0, "stacking": {"mode": "normal", "group": "A"}}
    if draw == "points":
        custom |= {"showPoints": "always", "pointSize": 7, "spanNulls": True}
    styled = [
        {
            "matcher": {"id": "byFrameRefID", "options": chr(ord("A") + index)},
            "properties": list(_STYLES[query.style]),
        }
        for index, query in enumerate(queries)
        if query.style
    ]
    defaults = {"unit": unit, "custom": custom, "color": {"mode": "palette-classic-by-name"}}
    return _panel(
        "timeseries", title, text, width, 8,
        fieldConfig={"defaults": defaults, "overrides": styled},
        options={
            "legend": {
                "displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull"],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        targets=_targets(queries),
        **({} if draw == "line" else {"interval": "5m"}),
    )  # fmt: skip


def stat(
    title: str, text: str, query: Query, unit: str, *, width: int, thresholds: Json | None = None
) -> Json:
    """The last figure, coloured by its thresholds."""
    return _panel(
        "stat", title, text, width, 5,
        fieldConfig={
            "defaults": {
                "unit": unit,
                "color": {"mode": "thresholds"},
                "thresholds": thresholds or _PLAIN,
                "noValue": "no data",
            },
            "overrides": [],
        },
        options={
            "colorMode": "background" if thresholds else "value",
            "graphMode": "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showPercentChange": False,
            "textMode": "auto",
            "wideLayout": True,
        },
        targets=_targets([query]),
    )  # fmt: skip


def heatmap(title: str, text: str, query: Query, unit: str, *, width: int) -> Json:
    """Buckets of a classic histogram over time; one for each value of `simulated`."""
    return _panel(
        "heatmap", title, text, width, 8,
        fieldConfig={"defaults": {"custom": {"scaleDistribution": {"type": "linear"}}}, "overrides": []},
        options={
            "calculate": False,
            "cellGap": 1,
            "color": {
                "mode": "scheme", "scheme": "Oranges", "scale": "exponential",
                "exponent": 0.5, "fill": "dark-orange", "reverse": False, "steps": 64,
            },
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "showValue": "never",
            "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
        },
        targets=_targets([query], format="heatmap"),
        repeat="simulated",
        repeatDirection="h",
    )  # fmt: skip


def table(
    title: str, text: str, query: Query, unit: str, *, width: int, thresholds: Json | None = None
) -> Json:
    """Labels and value of every series at the end of the time range, largest first."""
    coloured: list[Json] = [{"id": "unit", "value": unit}, {"id": "displayName", "value": "value"}]
    if thresholds:
        coloured += [
            {"id": "thresholds", "value": thresholds},
            {"id": "custom.cellOptions", "value": {"type": "color-text"}},
        ]
    hidden = {"Time": True, "__name__": True, "job": True, "instance": True}
    return _panel(
        "table", title, text, width, 8,
        fieldConfig={
            "defaults": {"custom": {"align": "auto", "cellOptions": {"type": "auto"}}},
            "overrides": [{"matcher": {"id": "byName", "options": "Value"}, "properties": coloured}],
        },
        options={
            "cellHeight": "sm",
            "frameIndex": 0,
            "showHeader": True,
            "sortBy": [{"displayName": "value", "desc": True}],
        },
        transformations=[{"id": "organize", "options": {"excludeByName": hidden}}],
        targets=_targets([query], instant=True, range=False, format="table"),
    )  # fmt: skip


def state_timeline(title: str, text: str, query: Query, states: Mapping[int, tuple[str, str]]) -> Json:
    """Bars of states over time; `states` gives text and colour for each value."""
    mapping = {
        str(value): {"text": name, "color": color, "index": index}
        for index, (value, (name, color)) in enumerate(states.items())
    }
    return _panel(
        "state-timeline", title, text, WIDTH, 6,
        fieldConfig={
            "defaults": {
                "custom": {"fillOpacity": 80, "lineWidth": 0},
                "mappings": [{"type": "value", "options": mapping}],
            },
            "overrides": [],
        },
        options={
            "alignValue": "left",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "mergeValues": True,
            "rowHeight": 0.9,
            "showValue": "auto",
            "tooltip": {"mode": "single", "sort": "none"},
        },
        targets=_targets([query]),
        interval="5m",
    )  # fmt: skip


# --- the frame


def variable(name: str, metric: str, label: str) -> Json:
    """A choice of label values, all of them at first."""
    query = f"label_values({metric}, {name})"
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"qryType": 1, "query": query, "refId": f"variable-{name}"},
        "refresh": 2,
        "sort": 7,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def source_variable() -> Json:
    """Which Prometheus."""
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
    }


def annotation(name: str, color: str, expr: str, title: str, text: str) -> Json:
    """Marks at the times (ms) that a query gives as its values."""
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "iconColor": color,
        "target": {"refId": "Anno", "expr": expr, "interval": "5m"},
        "titleFormat": title,
        "textFormat": text,
        "tagKeys": "board,bench",
        "useValueForTime": True,
    }


@dataclass(frozen=True, slots=True)
class Row:
    """A titled row of panels; a folded one asks nothing of Prometheus until it is opened."""

    title: str
    panels: Sequence[Json]
    folded: bool = False


def laid_out(rows: Iterable[Row]) -> list[Json]:
    """Panels with ids and places, from left to right and from top to bottom."""
    out: list[Json] = []
    top, number = 0, 0
    for row in rows:
        number += 1
        head: Json = {
            "type": "row", "id": number, "title": row.title, "collapsed": row.folded, "panels": [],
            "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1},
        }  # fmt: skip
        out.append(head)
        top += 1
        left = tallest = 0
        for panel in row.panels:
            number += 1
            size = panel["gridPos"]
            if left + size["w"] > WIDTH:
                top, left, tallest = top + tallest, 0, 0
            place = {"x": left, "y": top, **size}
            (head["panels"] if row.folded else out).append({"id": number, **panel, "gridPos": place})
            left, tallest = left + size["w"], max(tallest, size["h"])
        top += tallest
    return out


def dashboard(
    uid: str,
    title: str,
    text: str,
    rows: Iterable[Row],
    variables: Sequence[Json],
    *,
    since: str,
    annotations: Sequence[Json] = (),
) -> Json:
    """A whole dashboard. The uid is part of links and never changes."""
    return {
        "uid": uid,
        "title": title,
        "description": text,
        "tags": ["lan-hil"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": since, "to": "now"},
        "refresh": "1m",
        "templating": {"list": [source_variable(), *variables]},
        "annotations": {"list": list(annotations)},
        "links": [
            {
                "type": "dashboards", "title": "lan-hil", "tags": ["lan-hil"], "icon": "external link",
                "tooltip": "The other dashboards, with the same choice", "asDropdown": True,
                "includeVars": True, "keepTime": True, "targetBlank": False,
            }
        ],
        "panels": laid_out(rows),
    }  # fmt: skip
