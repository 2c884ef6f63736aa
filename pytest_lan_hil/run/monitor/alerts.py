"""Where Alertmanager sends what fires while the stack runs here: a webhook that says it in a line.

Format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_BODY_MAX = 1 << 20
_CLIENT_S = 10.0
# Says that alerts get through at all; it always fires, and nobody wants to read of it.
WATCHDOG = "Watchdog"
_PLACE = ("board", "bench", "device")


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as it was sent: "firing" or "resolved", to which receiver, its labels and its summary."""

    status: str
    receiver: str
    labels: Mapping[str, str]
    summary: str

    def __str__(self) -> str:
        name = self.labels.get("alertname", "?")
        place = ", ".join(self.labels[key] for key in _PLACE if key in self.labels)
        severity = self.labels.get("severity", "")
        return f"alert {self.status}: {name} ({severity}) {place}: {self.summary} -> {self.receiver}"


def parse(body: bytes) -> list[Alert]:
    """The alerts of one notification.

    Raises:
        ValueError: It is none.
    """
    try:
        told = json.loads(body)
        return [_alert(told, alert) for alert in told["alerts"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no notification of Alertmanager: {error!r}") from None


def _alert(told: Any, alert: Any) -> Alert:
    labels = {str(key): str(value) for key, value in alert["labels"].items()}
    summary = str(alert.get("annotations", {}).get("summary", ""))
    return Alert(str(alert["status"]), str(told["receiver"]), labels, summary)


@contextmanager
def listening(heard: Callable[[Alert], None]) -> Iterator[str]:
    """Take notifications while the block runs; gives the URL to send them to."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _CLIENT_S

        def do_POST(self) -> None:
            """Take one notification."""
            length = self.headers.get("Content-Length", "")
            size = int(length) if length.isascii() and length.isdigit() else _BODY_MAX + 1
            try:
                alerts = parse(self.rfile.read(size)) if size <= _BODY_MAX else None
            except ValueError:
                alerts = None
            for alert in alerts or ():
                heard(alert)
            self.send_response(400 if alerts is None else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nobody wants to read of every request."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="alerts", daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
