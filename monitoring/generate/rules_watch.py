"""Alerts about the monitoring itself: who watches that runs, devices, frames and alerts still arrive."""

from __future__ import annotations

from monitoring.generate.rules_alerts import Alert, Severity
from monitoring.generate.rules_words import DEVICE, RUN

# One nightly run missed, whatever the hour that it should have ended.
STALE_HOURS = 36
# A serial line loses a frame now and then.
REJECTED_FRAMES = 5


def watch_alerts() -> list[Alert]:
    """All of them."""
    return [
        _target_down(),
        _run_stale(),
        _push_refused(),
        _bench_missing(),
        _device_missing(),
        _frames_rejected(),
        _watchdog(),
    ]


def _target_down() -> Alert:
    return Alert(
        name="TargetDown",
        severity=Severity.CRITICAL,
        expr="up == 0",
        summary="{{ $labels.job }} at {{ $labels.instance }} can't be scraped",
        description="up is {{ $value }}, it should be 1: nothing that it exports is watched.",
        wait="5m",
    )


def _run_stale() -> Alert:
    # A run's own end is right also for what waited in the spool; the time of the push also where the bench's
    # clock is ahead. A gateway gives 0 to a group that was only ever refused.
    limit = f"{STALE_HOURS} * 3600"
    expr = f"""\
time() - max without (instance) (lan_run_timestamp_seconds) > {limit}
or
(time() - (max by (job, board, bench) (push_time_seconds) > 0))
  * on (job, board, bench) group_right ()
group without (instance) (lan_run_timestamp_seconds) > {limit}"""
    return Alert(
        name="RunStale",
        severity=Severity.WARNING,
        expr=expr,
        summary=f"{RUN}: no run for too long",
        description=(
            "The last run is {{ $value | humanizeDuration }} old, target at most"
            f" {STALE_HOURS} h (job {{{{ $labels.job }}}})."
        ),
        wait="10m",
    )


def _push_refused() -> Alert:
    return Alert(
        name="PushRefused",
        severity=Severity.WARNING,
        expr="push_failure_time_seconds > push_time_seconds",
        summary="{{ $labels.board }} on bench {{ $labels.bench }}: the Pushgateway refuses what is pushed",
        description=(
            "The last push of job {{ $labels.job }} was refused at {{ $value | humanizeTimestamp }}, target"
            " none since the last one that was taken: what is shown of this bench is older than its last run."
        ),
        wait="1m",
    )


def _bench_missing() -> Alert:
    return Alert(
        name="BenchMissing",
        severity=Severity.WARNING,
        expr=(
            'group by (board, bench) (lan_expected_info{device=""})\n'
            "  unless on (board, bench)\nlan_run_timestamp_seconds"
        ),
        summary="{{ $labels.board }} on bench {{ $labels.bench }} is in the inventory but has no run",
        description="0 runs are known of this bench, target at least 1.",
        wait="10m",
    )


def _device_missing() -> Alert:
    return Alert(
        name="DeviceMissing",
        severity=Severity.WARNING,
        expr=(
            'group by (board, bench, device, simulated) (lan_expected_info{device!=""})\n'
            "  unless on (board, bench, device)\nlan_device_up"
        ),
        summary=f"{DEVICE} is in the inventory but no exporter knows it",
        description="0 exporters serve this device, target 1.",
        wait="10m",
    )


def _frames_rejected() -> Alert:
    return Alert(
        name="FramesRejected",
        severity=Severity.WARNING,
        expr=f"sum without (instance) (increase(lan_frames_rejected_total[10m])) > {REJECTED_FRAMES}",
        summary=f"{DEVICE} sends frames that are refused",
        description=(
            '{{ $value | printf "%.0f" }} frames were refused in 10 minutes because of their'
            f" {{{{ $labels.reason }}}}, target at most {REJECTED_FRAMES}."
        ),
        wait="5m",
    )


def _watchdog() -> Alert:
    return Alert(
        name="Watchdog",
        severity=Severity.NONE,
        expr="vector(1)",
        summary="The way from Prometheus to the notification is open",
        description="Fires always, value {{ $value }}, target 1. Be alarmed if it does not arrive.",
        wait="",
        keep="",
    )
