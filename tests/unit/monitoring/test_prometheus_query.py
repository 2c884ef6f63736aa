"""Asking a Prometheus: what its answers become, and what is said when there is none."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import typer

from pytest_lan_hil.cli.commands import monitor
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.model.errors import BlockedError, InputError
from pytest_lan_hil.run.monitor.query import Prometheus, Row, check_url, histogram_series, read


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def test_a_matrix_becomes_a_row_for_each_sample_with_values_as_they_were_written() -> None:
    data = {
        "resultType": "matrix",
        "result": [
            {"metric": {"__name__": "m", "a": 'x\n"y'}, "values": [[1.5, "NaN"], [2, "+Inf"]]},
            {"metric": {"a": "z"}, "values": [[1, "0.1"]]},
        ],
    }
    assert read(data).rows == (
        Row(1.5, "m", {"a": 'x\n"y'}, "NaN"),
        Row(2.0, "m", {"a": 'x\n"y'}, "+Inf"),
        Row(1.0, "", {"a": "z"}, "0.1"),
    )


def test_vector_scalar_and_text() -> None:
    vector = {"resultType": "vector", "result": [{"metric": {"__name__": "m"}, "value": [3, "7"]}]}
    assert read(vector).rows == (Row(3.0, "m", {}, "7"),)
    assert read({"resultType": "scalar", "result": [3, "7"]}).rows == (Row(3.0, "", {}, "7"),)
    assert read({"resultType": "string", "result": [3, "hello"]}).rows == (Row(3.0, "", {}, "hello"),)


def test_native_histograms_are_left_out_and_that_is_said() -> None:
    series = {"metric": {"__name__": "m"}, "histogram": [3, {"count": "1", "sum": "2"}]}
    answer = read({"resultType": "vector", "result": [series]})
    assert answer.rows == ()
    assert answer.notes == ("native histograms are left out: 1 series",)


def test_an_answer_of_another_kind_is_refused() -> None:
    with pytest.raises(BlockedError, match="'streams'"):
        read({"resultType": "streams", "result": []})


@pytest.mark.parametrize(
    ("query", "written_out"),
    [
        ("h[1h]", '{__name__=~"h_(bucket|count|sum)"}[1h]'),
        (' h { le="1" } [5m] ', '{__name__=~"h_(bucket|count|sum)", le="1"}[5m]'),
        ("h{}", '{__name__=~"h_(bucket|count|sum)"}'),
        ("rate(h[5m])", None),
        ("a + b", None),
        ('{__name__="h"}', None),
    ],
)
def test_only_a_plain_selector_is_written_out(query: str, written_out: str | None) -> None:
    assert histogram_series(query) == written_out


@pytest.mark.parametrize(
    "url",
    ["", "localhost:9090", "ftp://h", "http://", "http://h:0", "http://h:99999", "http://a b", "http://[::1"],
)
def test_unusable_urls(url: str) -> None:
    with pytest.raises(InputError, match="Prometheus URL"):
        check_url(url)


def test_a_url_with_a_path_of_the_api_or_a_password_is_refused() -> None:
    with pytest.raises(InputError, match="only its address is wanted"):
        check_url("http://h:9090/api/v1/query")
    with pytest.raises(InputError, match="user name or password") as refused:
        check_url("http://me:sesame@h")
    assert "sesame" not in str(refused.value)
    assert check_url("https://h/prometheus/") == "https://h/prometheus"


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(BlockedError, match="Connection refused") as refused:
        Prometheus(f"http://127.0.0.1:{port}").ask("up")
    assert "lan-hil monitor serve" in refused.value.fix


def test_one_that_never_answers_costs_the_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(BlockedError, match=r"no answer within 0\.2 s"):
            Prometheus(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.2).ask("up")
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>"), (200, b"[]"), (200, b'{"status": "error"}'), (404, b"not found"), (500, b"\xff\xfe")],
)
def test_what_is_no_prometheus_is_said_to_be_none(status: int, body: bytes) -> None:
    with answering(status, body) as url, pytest.raises(BlockedError, match="is no Prometheus"):
        Prometheus(url).ask("up")


def test_a_timeout_of_the_server_is_not_the_users_fault() -> None:
    body = json.dumps({"status": "error", "errorType": "timeout", "error": "query timed out"}).encode()
    with answering(503, body) as url, pytest.raises(BlockedError, match="gave up on the query"):
        Prometheus(url).ask("up")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("up", "--csv", "--jsonl"), "choose one"),
        (("up", "--start", "1", "--at", "2"), "ask for different things"),
        (("up", "--end", "1"), "--end without --start"),
        (("up", "--prometheus", "nowhere"), "is not http(s)://host[:port]"),
    ],
)
def test_command_lines_that_can_not_be(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = typer.Typer()
    monitor.register(app)
    assert run(app, ["monitor", "export", *arguments]) == 2
    assert told in capsys.readouterr().err
