"""Commands around Prometheus: devices in the field, what it holds, the whole stack on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from pytest_lan_hil.cli import backfill

_Prometheus = Annotated[
    str,
    typer.Option(
        "--prometheus", metavar="URL", envvar="LAN_HIL_PROMETHEUS", help="As http://127.0.0.1:9090."
    ),
]


def _exporter(
    *,
    inventory: Annotated[
        str | None,
        typer.Option("--inventory", metavar="FILE.toml", help="Devices: id, board, site, port."),
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option("--device", metavar="NAME=PORT", help="A device, instead of an inventory; repeat it."),
    ] = None,
    board: Annotated[
        str | None, typer.Option("--board", metavar="NAME|FILE", help="What the --device options are.")
    ] = None,
    site: Annotated[
        str, typer.Option("--site", metavar="TEXT", help="Where they stand: label `bench`.")
    ] = "field",
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where /metrics is served.")
    ] = "127.0.0.1:8080",
    every: Annotated[
        float, typer.Option("--every", metavar="S", min=0.1, help="From one reading of a device to the next.")
    ] = 5.0,
    stale_after: Annotated[
        float | None,
        typer.Option(
            "--stale-after",
            metavar="S",
            min=0.1,
            help="Age at which a reading is dropped (else 3 x --every).",
        ),
    ] = None,
) -> None:
    """Serve /metrics for devices in the field, read over their serial ports. Ends with Ctrl-C."""
    from pytest_lan_hil.cli.monitor import exporter

    exporter(
        inventory, device or (), board, site=site, listen=listen, every_s=every, stale_after_s=stale_after
    )


def _export(
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="PromQL: 'lan_inference_latency_seconds[1h]'.")
    ],
    *,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV with a heading (without --jsonl too).")
    ] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print a JSON object a line.")] = False,
    prometheus: _Prometheus = "http://127.0.0.1:9090",
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Evaluate then: 2026-11-01T08:00:00Z, or Unix time."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", metavar="TIME", help="Evaluate again and again from then on.")
    ] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="TIME", help="Up to then (else now).")] = None,
    step: Annotated[
        float, typer.Option("--step", metavar="S", min=0.001, help="From one evaluation to the next.")
    ] = 60.0,
) -> None:
    """What a Prometheus answers to a query, as CSV or JSON lines."""
    from pytest_lan_hil.cli.monitor_export import export
    from pytest_lan_hil.cli.query import Form

    if csv and jsonl:
        raise typer.BadParameter("--csv and --jsonl can't both be: choose one", param_hint="--jsonl")
    form = Form.JSONL if jsonl else Form.CSV
    export(query, form, prometheus, at=at, start=start, end=end, step_s=step)


def _prune(
    *,
    url: Annotated[
        str | None, typer.Option("--pushgateway", metavar="URL", help="As http://HOST:9091.")
    ] = None,
    job: Annotated[
        str | None, typer.Option("--job", metavar="NAME", help="Whose groups (else hil_job, else lan_hil).")
    ] = None,
    older_than: Annotated[
        str,
        typer.Option("--older-than", metavar="AGE", help="Only if not pushed to for so long: 7d, 36h, 0."),
    ] = "7d",
    bench: Annotated[
        list[str] | None,
        typer.Option("--bench", metavar="NAME", help="This bench is gone, and no other; repeat it."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="S", min=0.1, help="Limit of each request.")
    ] = 3.0,
) -> None:
    """Delete the Pushgateway's groups of boards and benches that this project no longer describes."""
    from pytest_lan_hil.cli.monitor_prune import prune

    raise typer.Exit(
        prune(url, job=job, older_than=older_than, gone=bench or (), dry_run=dry_run, timeout_s=timeout)
    )


def _serve(
    *,
    board: Annotated[
        list[str] | None,
        typer.Option(
            "--board", metavar="NAME|FILE", help="Virtual board that feeds it (else nrf52840); repeat it."
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option("--duration", metavar="S", min=0, help="End after so long (else with Ctrl-C)."),
    ] = None,
    browser: Annotated[bool, typer.Option("--open", help="Show Prometheus in the browser.")] = False,
) -> None:
    """Start Prometheus, Pushgateway and Alertmanager here, fed by the virtual bench. Ends with Ctrl-C."""
    from pytest_lan_hil.cli.monitor_serve import open_page, serve

    serve(board or ["nrf52840"], duration_s=duration, browser=open_page if browser else None)


def register(app: typer.Typer) -> None:
    """Add them to `lan-hil`."""
    monitor = typer.Typer(
        help="Prometheus: devices in the field, what it holds, the whole stack here.", no_args_is_help=True
    )
    monitor.command("exporter")(_exporter)
    monitor.command("export")(_export)
    monitor.command("prune")(_prune)
    monitor.command("serve")(_serve)
    backfill.register(monitor)
    app.add_typer(monitor, name="monitor")
