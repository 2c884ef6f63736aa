"""Ask a Prometheus: instant, range and matrix results as rows, and its refusals in plain words.

HTTP API: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit

from pytest_lan_hil.model.errors import BlockedError, HilError, InputError
from pytest_lan_hil.publish.pushgateway import opener

_EXAMPLE = "write http://HOST:9090"
# A plain selector: a name, matchers, and a range; what a histogram's name must be written out for.
_SELECTOR = re.compile(r"\s*([A-Za-z_:][A-Za-z0-9_:]*)\s*(?:\{(.*)\})?\s*(\[[^\]]*\])?\s*", re.DOTALL)
_AT = re.compile(r"(?:invalid parameter \"query\": )?(\d+):(\d+): parse error: (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Row:
    """One sample: its Unix time, name, other labels, and its value as Prometheus writes it (NaN, +Inf)."""

    unix_s: float
    metric: str
    labels: Mapping[str, str]
    value: str


@dataclass(frozen=True, slots=True)
class Span:
    """A range query: from, to (RFC 3339 or Unix time) and the seconds between two evaluations."""

    start: str
    end: str
    step_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows, and what the reader should know about them.

    Attributes:
        rows: In the order of Prometheus: series by series, by time.
        notes: A line each.
    """

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def check_url(url: str) -> str:
    """The URL without a trailing slash.

    Raises:
        InputError: It is not http(s)://host[:port][/prefix].
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        secret = parts.username is not None or parts.password is not None
    except ValueError:
        good = secret = False
    if secret:
        raise InputError(
            "the Prometheus URL holds a user name or password, which logs would show", fix=_EXAMPLE
        )
    if not good or any(char.isspace() for char in url):
        raise InputError(f"Prometheus URL {url!r} is not http(s)://host[:port]", fix=_EXAMPLE)
    if parts.query or parts.fragment or "api" in parts.path.split("/"):
        raise InputError(
            f"Prometheus URL {url!r}: only its address is wanted, /api/v1/query is added", fix=_EXAMPLE
        )
    return url.rstrip("/")


class Prometheus:
    """One server.

    Args:
        url: See `check_url`.
        timeout_s: Of each request.
    """

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        self.url = check_url(url)
        self._timeout_s = timeout_s

    def ask(self, query: str, *, span: Span | None = None, at: str | None = None) -> Answer:
        """Evaluate a query now, at a time, or over a span.

        A histogram has no series of its own name: asked for by it, its `_bucket`, `_count` and `_sum` are
        given.

        Raises:
            InputError: Prometheus refuses the query, or it can't be asked so.
            BlockedError: It can't be reached, or what answers is no Prometheus.
        """
        answer = self._evaluate(query, span, at)
        if answer.rows:
            return answer
        written_out = histogram_series(query)
        if written_out is not None:
            of_histogram = self._evaluate(written_out, span, at)
            if of_histogram.rows:
                note = f"it is a histogram: these are its series, {written_out}"
                return Answer(of_histogram.rows, (note, *of_histogram.notes))
        return Answer((), (self._nothing(query), *answer.notes))

    def _evaluate(self, query: str, span: Span | None, at: str | None) -> Answer:
        if span is None:
            fields = {"query": query} | ({} if at is None else {"time": at})
            return read(self._get("query", fields, query))
        times = {"start": span.start, "end": span.end, "step": repr(span.step_s)}
        return read(self._get("query_range", {"query": query, **times}, query))

    def _nothing(self, query: str) -> str:
        """Why there may be nothing: the names that look like the one asked for."""
        found = _SELECTOR.fullmatch(query)
        if found is None:
            return "no series"
        names = [str(name) for name in self._get("label/__name__/values", {}, query)]
        if found[1] in names:
            return f"no series of {found[1]} matches, at this time"
        near = get_close_matches(found[1], names, n=3, cutoff=0.6)
        hint = f"; there are {', '.join(near)}" if near else ""
        return f"no metric is called {found[1]}{hint}"

    def _get(self, what: str, fields: Mapping[str, str], query: str) -> Any:
        # As a form, because a query may be longer than a URL may.
        data = urlencode(fields).encode() if fields else None
        try:
            with opener(self.url).open(f"{self.url}/api/v1/{what}", data, self._timeout_s) as response:
                answer = json.load(response)
        except HTTPError as error:
            raise _refusal(error, self.url, query) from None
        except (URLError, OSError) as error:
            raise _unreached(self.url, self._timeout_s, error) from None
        except ValueError:
            raise _no_prometheus(self.url) from None
        if not isinstance(answer, dict) or answer.get("status") != "success":
            raise _no_prometheus(self.url)
        return answer["data"]


def histogram_series(query: str) -> str | None:
    """The query for the series of a histogram, of a plain selector of its name; None of anything else."""
    found = _SELECTOR.fullmatch(query)
    if found is None:
        return None
    name, matchers, window = found.groups()
    inside = f'__name__=~"{name}_(bucket|count|sum)"' + (f", {matchers.strip()}" if matchers else "")
    return f"{{{inside}}}{window or ''}"


def read(data: Mapping[str, Any]) -> Answer:
    """Rows of one answer.

    Raises:
        BlockedError: Its type is not known.
    """
    kind, result = data["resultType"], data["result"]
    if kind in ("scalar", "string"):
        return Answer((Row(float(result[0]), "", {}, str(result[1])),))
    if kind not in ("vector", "matrix"):
        raise BlockedError(f"Prometheus answered with a {kind!r}, which is not known here")
    rows = tuple(_series_rows(result))
    left_out = sum(1 for series in result if "histogram" in series or "histograms" in series)
    notes = (f"native histograms are left out: {left_out} series",) if left_out else ()
    return Answer(rows, notes)


def _series_rows(result: list[dict[str, Any]]) -> Iterator[Row]:
    for series in result:
        labels = {name: value for name, value in series["metric"].items() if name != "__name__"}
        points = series.get("values", [series["value"]] if "value" in series else [])
        for unix_s, value in points:
            yield Row(float(unix_s), series["metric"].get("__name__", ""), labels, str(value))


def _refusal(error: HTTPError, url: str, query: str) -> HilError:
    try:
        told = json.load(error)
        kind, text = str(told["errorType"]), str(told["error"])
    except (ValueError, KeyError, TypeError):
        return _no_prometheus(url)
    found = _AT.fullmatch(text)
    if found is not None:
        place = _pointed(query, int(found[1]), int(found[2]))
        return InputError(
            f"Prometheus does not understand the query: {found[3]}\n{place}",
            fix="quote it for the shell: lan-hil monitor export 'lan_power_watts{board=\"nrf52840\"}[1h]'",
        )
    if kind == "timeout":
        return BlockedError(f"Prometheus gave up on the query: {text}", fix="ask for less: a shorter range")
    if kind == "bad_data":
        return InputError(f"Prometheus refuses the request: {text}", fix="correct the query or the times")
    if kind == "execution":
        return InputError(f"Prometheus can't evaluate the query: {text}", fix="ask for less, or otherwise")
    return BlockedError(f"Prometheus at {url} answered with {error.code}: {kind}: {text}")


def _pointed(query: str, line: int, column: int) -> str:
    """The line of the query, and a caret below the place."""
    lines = query.splitlines() or [""]
    shown = lines[min(line, len(lines)) - 1]
    return f"  {shown}\n  {' ' * min(column - 1, len(shown))}^"


def _unreached(url: str, timeout_s: float, error: OSError) -> BlockedError:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, (TimeoutError, socket.timeout)):
        return BlockedError(
            f"Prometheus at {url} gave no answer within {timeout_s:g} s", fix="ask for a shorter range"
        )
    why = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    return BlockedError(
        f"no Prometheus at {url}: {why}", fix="start it (lan-hil monitor serve), or name it: --prometheus URL"
    )


def _no_prometheus(url: str) -> BlockedError:
    return BlockedError(f"what answers at {url} is no Prometheus", fix="name its address: --prometheus URL")
