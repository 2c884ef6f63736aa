"""/metrics over HTTP, in bounded time and for a bounded number of scrapers.

Scrapes that come while one is being answered share its text, so that a scrape that takes longer than its
interval does not pile up. `/` says in words how each device is, `/-/healthy` that the exporter runs.
"""

from __future__ import annotations

import gzip
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from pytest_lan_hil.model.errors import BlockedError, InputError

# A scrape younger than this is given to whoever asks meanwhile.
_SHARED_S = 0.25
# A client that takes longer for one piece of a request or an answer is let go.
_CLIENT_S = 10.0
_CLIENTS_MAX = 16
_GZIP_LEVEL = 1


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of "127.0.0.1:8080", "[::1]:8080" or ":8080" (every address).

    Raises:
        InputError: It is none.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise InputError(f"--listen {text!r} is not HOST:PORT", fix="write --listen 127.0.0.1:8080")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """True if nobody outside this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Texts:
    """The newest answer in each format."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._lock = threading.Lock()
        self._made: dict[tuple[str, bool], tuple[float, bytes]] = {}

    def text(self, accept: str, *, zipped: bool) -> tuple[str, bytes]:
        """Content type and body."""
        encoder, kind = choose_encoder(accept)
        with self._lock:
            made_s, body = self._made.get((kind, zipped), (float("-inf"), b""))
            if time.monotonic() - made_s > _SHARED_S:
                body = encoder(self._collector)
                if zipped:
                    body = gzip.compress(body, _GZIP_LEVEL)
                self._made[kind, zipped] = time.monotonic(), body
        return kind, body


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._free = threading.BoundedSemaphore(_CLIENTS_MAX)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """One thread for each client, as far as there are any left; who comes beyond them is let go."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As the base class, and the client's place is free again."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def _handler(texts: _Texts, status: Callable[[], str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _CLIENT_S

        def do_GET(self) -> None:
            """Answer one request."""
            path = self.path.partition("?")[0]
            if path == "/metrics":
                zipped = "gzip" in self.headers.get("Accept-Encoding", "")
                kind, body = texts.text(self.headers.get("Accept", ""), zipped=zipped)
                self._send(HTTPStatus.OK, kind, body, encoding="gzip" if zipped else "")
            elif path == "/":
                self._text(HTTPStatus.OK, f"lan-hil monitor exporter: metrics at /metrics\n\n{status()}")
            elif path == "/-/healthy":
                self._text(HTTPStatus.OK, "healthy\n")
            else:
                self._text(HTTPStatus.NOT_FOUND, "nothing here; metrics are at /metrics\n")

        def _text(self, code: HTTPStatus, text: str) -> None:
            self._send(code, "text/plain; charset=utf-8", text.encode("utf-8"))

        def _send(self, code: HTTPStatus, kind: str, body: bytes, *, encoding: str = "") -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if encoding:
                self.send_header("Content-Encoding", encoding)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A scrape every few seconds is no news."""

    return Handler


@contextmanager
def serving(
    collector: Collector, address: tuple[str, int], status: Callable[[], str]
) -> Iterator[tuple[str, int]]:
    """Serve while the block runs; gives the address that is listened on (port 0: one that is free).

    Raises:
        BlockedError: The address can't be listened on.
    """
    try:
        server = _Server(address, _handler(_Texts(collector), status))
    except OSError as error:
        raise BlockedError(
            f"listening on {address[0]}:{address[1]}: {error.strerror or error}",
            fix="end what listens there (ss -ltnp), or give another address: --listen 127.0.0.1:8081",
        ) from error
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="scrapes", daemon=True
    )
    thread.start()
    try:
        yield (str(server.server_address[0]), int(server.server_address[1]))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
