"""Push: every fault of URL and gateway is a result in bounded time, never an exception out of the network."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from publish_samples import RECORD

from pytest_lan_hil.model.errors import BlockedError, InputError
from pytest_lan_hil.publish import pushgateway
from pytest_lan_hil.publish.pushgateway import PushedGroup, check_url, delete, grouping_key, groups, push

# Far above the limits given to push(), far below what a lost bound would take: the limit, not the speed.
GENEROUS_S = 5.0


@contextmanager
def server(
    answer: Callable[[socket.socket, bytes, threading.Event], None],
) -> Iterator[tuple[str, list[bytes]]]:
    """A server that reads one request's head per connection and lets `answer` deal with it."""
    stop = threading.Event()
    heads: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(2)
            try:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65536)
                heads.append(head)
                answer(connection, head, stop)
            except OSError:
                return

    def run() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            threads.append(threading.Thread(target=serve, args=(connection,)))
            threads[-1].start()

    threads = [threading.Thread(target=run)]
    threads[0].start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heads
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
        listener.close()


def accept_and_never_answer(connection: socket.socket, head: bytes, stop: threading.Event) -> None:
    stop.wait(60)


def trickle(connection: socket.socket, head: bytes, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not stop.wait(0.02):
        connection.sendall(b"X: y\r\n")


def reply(status: str, body: str) -> Callable[[socket.socket, bytes, threading.Event], None]:
    def answer(connection: socket.socket, head: bytes, stop: threading.Event) -> None:
        text = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
        # the body of the request is read first, or closing would reset the connection under the reply
        length = int(
            next(
                line.split(b":")[1]
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
        )
        have = len(head.split(b"\r\n\r\n", 1)[1])
        while have < length:
            have += len(connection.recv(65536))
        connection.sendall(text.encode())

    return answer


def reply_without_body(status: str) -> Callable[[socket.socket, bytes, threading.Event], None]:
    def answer(connection: socket.socket, head: bytes, stop: threading.Event) -> None:
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    return answer


def test_refused_connection_is_a_result() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = push(RECORD, f"http://127.0.0.1:{port}", timeout_s=2)
    assert not result.ok
    assert not result.answered
    assert "Connection refused" in result.detail
    assert result.duration_s < GENEROUS_S


@pytest.mark.parametrize("where", ["this machine", "elsewhere"])
@pytest.mark.parametrize("behaviour", [accept_and_never_answer, trickle])
def test_a_gateway_that_never_finishes_costs_the_limit_and_no_more(
    behaviour: Callable[[socket.socket, bytes, threading.Event], None],
    where: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if where == "elsewhere":
        monkeypatch.setattr(pushgateway, "_is_here", lambda url: False)
    with server(behaviour) as (url, heads):
        started = time.monotonic()
        result = push(RECORD, url, timeout_s=0.3)
        assert time.monotonic() - started < GENEROUS_S
        assert not result.ok
        assert not result.answered
        assert "within" in result.detail
        assert len(heads) == 1


def test_a_name_look_up_that_hangs_is_inside_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(*_: object, **__: object) -> None:
        release.wait(60)
        raise OSError("no name")

    monkeypatch.setattr(pushgateway, "push_to_gateway", hang)
    result = push(RECORD, "http://pushgateway.invalid:9091", timeout_s=0.2)
    release.set()
    assert not result.ok
    assert "no answer within 0.2 s" in result.detail


def test_a_refusal_is_told_with_the_gateways_own_text() -> None:
    with server(reply("400 Bad Request", "pushed metrics are invalid or inconsistent:\n type clash")) as (
        url,
        _,
    ):
        result = push(RECORD, url)
    assert not result.ok
    assert result.answered
    assert "400 Bad Request: pushed metrics are invalid or inconsistent: type clash" in result.detail


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("500 Internal Server Error", "persisting metrics: no space left on device"),
        ("503 Service Unavailable", "write queue is full"),
        ("413 Request Entity Too Large", "too many metrics"),
        ("507 Insufficient Storage", ""),
    ],
)
@pytest.mark.parametrize("where", ["this machine", "elsewhere"])
def test_a_gateway_that_is_broken_or_full_is_a_refusal_with_its_reason(
    status: str, body: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "elsewhere":
        monkeypatch.setattr(pushgateway, "_is_here", lambda url: False)
    with server(reply(status, body)) as (url, heads):
        result = push(RECORD, url)
    assert not result.ok
    assert result.answered
    assert f"refused it with {status}: {body or '(no text)'}" in result.detail
    assert len(heads) == 1  # asked once: what was refused is not sent again and again


def test_an_answer_that_stops_in_its_middle_is_a_result() -> None:
    def stop_short(connection: socket.socket, head: bytes, stop: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\npart")
        stop.wait(60)

    with server(stop_short) as (url, _):
        started = time.monotonic()
        result = push(RECORD, url, timeout_s=0.3)
        assert time.monotonic() - started < GENEROUS_S
    assert not result.ok


def test_a_redirect_is_not_followed() -> None:
    with server(reply("307 Temporary Redirect\r\nLocation: http://127.0.0.1:9/", "")) as (url, heads):
        result = push(RECORD, url)
    assert not result.ok
    assert "307" in result.detail
    assert len(heads) == 1


def test_what_a_gateway_holds_is_told_or_why_not() -> None:
    held = (
        '{"status":"success","data":[{"labels":{"job":"a","board":"b"},'
        '"push_time_seconds":{"metrics":[{"value":"1.5e9"}]}}]}'
    )

    def tell(text: str) -> Callable[[socket.socket, bytes, threading.Event], None]:
        def answer(connection: socket.socket, head: bytes, stop: threading.Event) -> None:
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())

        return answer

    with server(tell(held)) as (url, _):
        assert groups(url) == [PushedGroup({"job": "a", "board": "b"}, 1.5e9)]
    for other in ("<html>", "[]", '{"data": [{}]}'):
        with server(tell(other)) as (url, _), pytest.raises(BlockedError, match="can't be told"):
            groups(url)
    with server(accept_and_never_answer) as (url, _), pytest.raises(BlockedError, match=r"within 0\.2 s"):
        groups(url, timeout_s=0.2)


def test_a_group_is_deleted_by_its_exact_key_whatever_stands_in_it() -> None:
    with server(reply_without_body("202 Accepted")) as (url, heads):
        result = delete(PushedGroup({"job": "j/k", "bench": "a b", "board": ""}, 0.0), url)
    assert result.ok, result.detail
    path = heads[0].split()[1].decode()
    assert heads[0].startswith(b"DELETE /metrics/job@base64/")
    parts = path.split("/")[2:]
    assert dict(zip(parts[::2], parts[1::2], strict=True)) == {
        "job@base64": base64.urlsafe_b64encode(b"j/k").decode(),
        "bench@base64": base64.urlsafe_b64encode(b"a b").decode(),
        "board@base64": "=",
    }


def test_something_that_is_no_http_server_is_a_result() -> None:
    def garbage(connection: socket.socket, head: bytes, stop: threading.Event) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    with server(garbage) as (url, _):
        result = push(RECORD, url)
    assert not result.ok
    assert "not pushed" in result.detail


def test_the_group_is_replaced_by_put_under_job_board_and_bench() -> None:
    with server(reply("200 OK", "")) as (url, heads):
        result = push(RECORD, url)
    assert result.ok
    assert result.detail == f"pushed to {url}, group job=lan_hil, board=nrf52840, bench=virtual"
    path = heads[0].split()[1].decode()
    assert heads[0].startswith(b"PUT /metrics/job/lan_hil/")
    assert sorted(path.split("/")[4::2]) == ["bench", "board"]
    assert grouping_key(RECORD) == {"board": "nrf52840", "bench": "virtual"}


def test_credentials_come_from_the_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAN_HIL_PUSHGATEWAY_USER", "me")
    monkeypatch.setenv("LAN_HIL_PUSHGATEWAY_PASSWORD", "sesame")
    with server(reply("200 OK", "")) as (url, heads):
        push(RECORD, url)
        monkeypatch.delenv("LAN_HIL_PUSHGATEWAY_USER")
        push(RECORD, url)
    assert b"Authorization: Basic " + base64.b64encode(b"me:sesame") in heads[0]
    assert b"Authorization" not in heads[1]


def test_a_gateway_on_this_machine_is_not_asked_for_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with server(reply("200 OK", "")) as (url, _):
        assert push(RECORD, url).ok


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("http://localhost:9091", "http://localhost:9091"),
        ("https://gw.example/", "https://gw.example"),
        ("http://[::1]:9091", "http://[::1]:9091"),
        ("https://gw.example/push", "https://gw.example/push"),
    ],
)
def test_usable_urls(url: str, normal: str) -> None:
    assert check_url(url) == normal


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:9091",
        "localhost",
        "ftp://localhost",
        "http://",
        "http://:9091",
        "http://host:port",
        "http://host:99999",
        "http://host:0",
        "http://ho st:9091",
        "http://[::1",
        "http://host:9091/metrics",
        "http://host:9091/metrics/job/x",
        "http://host:9091?x=1",
        "http://host:9091#x",
    ],
)
def test_unusable_urls_are_refused_with_the_right_form(url: str) -> None:
    with pytest.raises(InputError) as caught:
        check_url(url)
    assert "http://HOST:9091" in caught.value.fix
    with pytest.raises(InputError):
        push(RECORD, url)


@pytest.mark.parametrize("url", ["http://me:sesame@host:9091", "http://me:sesame@host:port"])
def test_a_url_with_a_password_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(InputError) as caught:
        check_url(url)
    assert "sesame" not in str(caught.value)
