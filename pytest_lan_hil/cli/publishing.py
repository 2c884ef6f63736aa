"""`lan-hil push`."""

from __future__ import annotations

from pytest_lan_hil.cli.output import note
from pytest_lan_hil.cli.project import find_project
from pytest_lan_hil.model.errors import BlockedError, InputError
from pytest_lan_hil.publish.spool import flush


def push(output: str | None, url: str | None, *, timeout_s: float) -> int:
    """Send what waits in the spool; returns 3 if something still waits.

    Raises:
        InputError: no Pushgateway is named, or there is no such output folder.
    """
    project = find_project()
    gateway = project.setting(url, "pushgateway")
    if gateway is None:
        raise InputError(
            "no Pushgateway is named (--pushgateway, LAN_HIL_PUSHGATEWAY, hil_pushgateway in the ini file)",
            fix="lan-hil push --pushgateway http://HOST:9091",
        )
    folder = project.output(output)
    if not folder.is_dir():
        raise InputError(
            f"there is no folder of run records at {folder}",
            fix="give the one that the run wrote to: lan-hil push --hil-output DIR",
        )
    report = flush(folder, gateway, timeout_s=timeout_s)
    for line in report.lines():
        print(line)
    if not report.ok:
        note("lan-hil: what was not pushed stays in the spool; run `lan-hil push` again")
        return BlockedError.exit_code
    return 0
