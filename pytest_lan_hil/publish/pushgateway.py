"""Push a run to a Prometheus Pushgateway: one PUT per run, which replaces the group job + board + bench; and
delete the groups of benches that are gone, for a gateway forgets nothing by itself.

A gateway that is down, slow or hostile never raises here and never costs more than the time limit. A socket's
timeout bounds each read, but neither the look-up of the name nor a server that answers one byte at a time: so
the request runs on a thread of its own, or, on this machine, over a socket that has a deadline.

Specification: https://github.com/prometheus/pushgateway/blob/master/README.md
"""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from prometheus_client import CollectorRegistry, delete_from_gateway, push_to_gateway

from pytest_lan_hil.model.errors import BlockedError, InputError
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.openmetrics import registry

USER_VARIABLE = "LAN_HIL_PUSHGATEWAY_USER"
PASSWORD_VARIABLE = "LAN_HIL_PUSHGATEWAY_PASSWORD"

_REPLY_LIMIT = 2000
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class PushResult:
    """What came of a push.

    Attributes:
        ok: The gateway took it.
        detail: One line for the summary.
        duration_s: Wall time that it cost.
        answered: The gateway answered at all, be it with a refusal.
    """

    ok: bool
    detail: str
    duration_s: float
    answered: bool = False


def check_url(url: str) -> str:
    """The URL without a trailing slash, if it is http(s)://host[:port], with a path prefix at most.

    Raises:
        InputError: It isn't, with what to write instead.
    """
    example = "write http://HOST:9091 (a gateway behind a path prefix: http://HOST:9091/PREFIX)"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"Pushgateway URL {_without_secret(url)!r}: {error}", fix=example) from None
    if parts.username is not None or parts.password is not None:
        raise InputError(
            f"Pushgateway URL {_without_secret(url)!r} holds a user name or password, which logs would show",
            fix=f"set {USER_VARIABLE} and {PASSWORD_VARIABLE} in the environment instead",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or any(c.isspace() for c in url):
        raise InputError(f"Pushgateway URL {url!r} is not http(s)://host[:port]", fix=example)
    if port == 0 or parts.query or parts.fragment or "metrics" in parts.path.split("/"):
        raise InputError(
            f"Pushgateway URL {url!r}: only the gateway's address is wanted, /metrics/job/... is added",
            fix=example,
        )
    return url.rstrip("/")


def _without_secret(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.partition('//')[0]}//***@{tail}" if at else url


def grouping_key(record: RunRecord) -> dict[str, str]:
    """Labels of the group beside the job. Bounded by the inventory of benches: never a run id or commit."""
    return {"board": record.board, "bench": record.bench}


def push(
    record: RunRecord, url: str, *, timeout_s: float = 3.0, last_success_s: float | None = None
) -> PushResult:
    """Replace the run's group on the gateway.

    Args:
        record: The run.
        url: See `check_url`.
        timeout_s: Bound on the wall time of the whole push, name look-up included.
        last_success_s: Unix time of the group's last passed run, if known and not this one.

    Raises:
        InputError: The URL can't be used. Nothing that the network does raises.
    """
    url = check_url(url)
    return push_registry(
        registry(record, last_success_s=last_success_s),
        url,
        job=record.job,
        key=grouping_key(record),
        timeout_s=timeout_s,
    )


def push_registry(
    metrics: CollectorRegistry, url: str, *, job: str, key: Mapping[str, str], timeout_s: float
) -> PushResult:
    """PUT a registry into the group `job` + `key`, within `timeout_s`; see `push`."""

    def put() -> None:
        push_to_gateway(
            url, job=job, registry=metrics, grouping_key=dict(key), timeout=timeout_s, handler=_handler
        )

    return _bounded(
        put, url, timeout_s, done=f"pushed to {url}, group {_group(job, key)}", failed="not pushed"
    )


@dataclass(frozen=True, slots=True)
class PushedGroup:
    """A group that a gateway holds.

    Attributes:
        labels: Its exact key, `job` among it.
        pushed_s: Unix time of the last push that was taken, 0 if none was.
    """

    labels: Mapping[str, str]
    pushed_s: float


def groups(url: str, *, timeout_s: float = 3.0) -> list[PushedGroup]:
    """What the gateway holds.

    Raises:
        InputError: The URL can't be used.
        BlockedError: The gateway can't be asked, or what answers is none.
    """
    url = check_url(url)
    found: list[PushedGroup] = []

    def get() -> None:
        body = _exchange(f"{url}/api/v1/metrics", "GET", timeout_s, dict(_authorization()), None)
        found.extend(_read_group(group) for group in json.loads(body)["data"])

    asked = _bounded(get, url, timeout_s, done="asked", failed="what it holds can't be told")
    if not asked.ok:
        raise BlockedError(asked.detail, fix="check the URL: it is that of a Pushgateway, 1.0 or newer")
    return found


def _read_group(group: Any) -> PushedGroup:
    (pushed,) = group["push_time_seconds"]["metrics"]
    labels = {str(name): str(value) for name, value in group["labels"].items()}
    return PushedGroup(labels, float(pushed["value"]))


def delete(group: PushedGroup, url: str, *, timeout_s: float = 3.0) -> PushResult:
    """Delete a group by its exact key; one of fewer or more labels is another group, and stays.

    Raises:
        InputError: The URL can't be used. Nothing that the network does raises.
    """
    url = check_url(url)
    job = group.labels["job"]
    key = {name: value for name, value in group.labels.items() if name != "job"}

    def send() -> None:
        delete_from_gateway(url, job=job, grouping_key=key, timeout=timeout_s, handler=_handler)

    return _bounded(send, url, timeout_s, done=f"deleted {_group(job, key)}", failed="not deleted")


def _bounded(send: Callable[[], None], url: str, timeout_s: float, *, done: str, failed: str) -> PushResult:
    """Send within `timeout_s`: to this machine at once, elsewhere on a thread of its own (see above)."""
    started = time.monotonic()
    outcome: list[tuple[bool, bool, str]] = []
    late = f"{failed}: {url} gave no answer within {timeout_s:g} s"

    def work() -> None:
        outcome.append(_attempt(send, url, done=done, failed=failed, late=late))

    if _is_here(url):
        work()
    else:
        worker = threading.Thread(target=work, name="lan-hil push", daemon=True)
        worker.start()
        worker.join(timeout_s)
    taken = time.monotonic() - started
    ok, answered, detail = outcome[0] if outcome else (False, False, late)
    return PushResult(ok=ok, detail=detail, duration_s=taken, answered=answered)


def _attempt(
    send: Callable[[], None], url: str, *, done: str, failed: str, late: str
) -> tuple[bool, bool, str]:
    """(taken, answered, detail) of one request; catches everything that the network does."""
    try:
        send()
    except HTTPError as error:
        reply = error.read(_REPLY_LIMIT).decode("utf-8", "replace")
        refusal = f"refused it with {error.code} {error.reason}: {_one_line(reply)}"
        return False, True, f"{failed}: {url} {refusal}"
    except Exception as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, (TimeoutError, socket.timeout)):
            return False, False, late
        return False, False, f"{failed}: {url}: {_reason(cause)}"
    return True, True, done


def _group(job: str, key: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in {"job": job, **key}.items())


def _reason(error: object) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return _one_line(f"{type(error).__name__}: {error}")


def _one_line(text: str) -> str:
    return " ".join(text.split()) or "(no text)"


def _handler(
    url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes
) -> Callable[[], None]:
    """prometheus_client's handler interface: a function that does the request or raises."""

    def send() -> None:
        _exchange(url, method, timeout, dict([*headers, *_authorization()]), data)

    return send


def _exchange(
    url: str, method: str, timeout: float | None, headers: dict[str, str], data: bytes | None
) -> bytes:
    """The body of the answer; whatever is no success is raised."""
    if _is_here(url):
        return _exchange_here(url, method, timeout, headers, data)
    with opener(url).open(Request(url, data=data, method=method, headers=headers), timeout=timeout) as answer:
        body: bytes = answer.read()
    return body


def _is_here(url: str) -> bool:
    """True for a gateway of this machine: no name to look up, no proxy to find, no secret to keep."""
    return url.startswith("http:") and urlsplit(url).hostname in _LOOPBACK


class _Until(socket.socket):
    """A socket that waits for nothing beyond its deadline, however few bytes come at a time."""

    deadline_s = float("inf")

    def _hurry(self) -> None:
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self.settimeout(left_s)

    def sendall(self, *arguments: Any) -> None:
        """As the base class."""
        self._hurry()
        super().sendall(*arguments)

    def recv_into(self, *arguments: Any) -> int:
        """As the base class."""
        self._hurry()
        return super().recv_into(*arguments)


def _exchange_here(
    url: str, method: str, timeout: float | None, headers: dict[str, str], data: bytes | None
) -> bytes:
    """A request to this machine, within `timeout` seconds in all, without the layers that find proxies."""
    parts = urlsplit(url)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=timeout)
    stop_s = time.monotonic() + (float("inf") if timeout is None else timeout)
    try:
        connection.connect()
        connection.sock = _Until(fileno=connection.sock.detach())
        connection.sock.deadline_s = stop_s
        connection.request(method, parts.path, data, headers)
        with connection.getresponse() as response:
            if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                reply = io.BytesIO(response.read(_REPLY_LIMIT))
                raise HTTPError(url, response.status, response.reason, response.headers, reply)
            return response.read()
    finally:
        connection.close()


def opener(url: str) -> OpenerDirector:
    """What speaks HTTP and nothing else: no redirect, no file; made faster than by `build_opener`."""
    # the environment's proxy is for the world outside, never for a gateway on this machine
    proxies = ProxyHandler({}) if urlsplit(url).hostname in _LOOPBACK else ProxyHandler()
    speaking = HTTPSHandler() if url.startswith("https:") else HTTPHandler()
    opener = OpenerDirector()
    for handler in (proxies, speaking, HTTPDefaultErrorHandler(), HTTPErrorProcessor()):
        opener.add_handler(handler)
    return opener


def _authorization() -> list[tuple[str, str]]:
    user = os.environ.get(USER_VARIABLE)
    if not user:
        return []
    token = base64.b64encode(f"{user}:{os.environ.get(PASSWORD_VARIABLE, '')}".encode()).decode("ascii")
    return [("Authorization", f"Basic {token}")]
