"""The doctor: what is missing is told with what mends it; what is there is not complained about."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lan_hil.config import Bench, Board, Wiring, read_bench, read_board
from pytest_lan_hil.dut.find import ProbeInfo
from pytest_lan_hil.model.errors import ConfigError
from pytest_lan_hil.run import doctor
from pytest_lan_hil.run.doctor import Finding, Level, diagnose, examine_board, examine_machine, examine_wiring
from pytest_lan_hil.run.survey import Attached, SerialPort, UsbDevice

ROOT = Path(__file__).parents[3]
JLINK = ProbeInfo("jlink:1", "1", "J-Link OB", simulated=False)
OTHER = ProbeInfo("cmsisdap:2", "2", "DAPLink", simulated=False)
VIRTUAL = ProbeInfo("virtual:nrf52840", "nrf52840", "virtual nRF52840", simulated=True)
PORT = SerialPort("/dev/ttyACM0", "/dev/serial/by-id/usb-SEGGER-if00", "1366:1015", "1", "J-Link")


def _wired(attached: Attached, **uris: str) -> list[Finding]:
    wiring = Wiring(uris.get("probe"), uris.get("console"), uris.get("analyzer"), {})
    return list(examine_wiring(attached, wiring))


def _only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_every_finding_that_is_not_good_says_what_to_do() -> None:
    attached = Attached(joulescopes=("1", "2"))
    for uris in (
        {"probe": "jlink:1"},
        {"probe": "auto"},
        {"console": "/dev/ttyNOSUCH"},
        {"analyzer": "joulescope:"},
        {"analyzer": "joulescope:3"},
    ):
        finding = _only(_wired(attached, **uris))
        assert finding.level is Level.MISSING
        assert finding.fix


@pytest.mark.parametrize(
    ("probes", "uri", "level", "said"),
    [
        ((JLINK, OTHER), "jlink:1", Level.OK, "jlink:1: J-Link OB"),
        ((JLINK, VIRTUAL), "auto", Level.OK, "jlink:1: J-Link OB"),
        ((JLINK, OTHER), "auto", Level.MISSING, "could be 2 probes"),
        ((VIRTUAL,), "auto", Level.MISSING, "attached: none"),
        ((OTHER,), "jlink:1", Level.MISSING, "attached: cmsisdap:2 (DAPLink)"),
        ((VIRTUAL,), "virtual:nrf52840", Level.OK, "simulated"),
    ],
)
def test_probe(probes: tuple[ProbeInfo, ...], uri: str, level: Level, said: str) -> None:
    finding = _only(_wired(Attached(probes), probe=uri))
    assert finding.level is level
    assert said in finding.text


def test_two_probes_with_one_serial_number_can_not_be_told_apart() -> None:
    (finding,) = examine_machine(Attached((JLINK, JLINK, OTHER)))
    assert finding.level is Level.MISSING
    assert "2 probes say they are jlink:1" in finding.text


def test_console_by_its_changing_name_is_noted_with_the_lasting_one() -> None:
    good, note = _wired(Attached(ports=(PORT,)), console="/dev/ttyACM0")
    assert (good.level, note.level) == (Level.OK, Level.NOTE)
    assert PORT.by_id in note.fix
    assert _only(_wired(Attached(ports=(PORT,)), console=PORT.by_id + "?dtr=off")).level is Level.OK


def test_console_that_this_user_may_not_open_names_the_group() -> None:
    port = SerialPort("/dev/ttyACM0", usb="1366:1015", permitted=False, group="dialout")
    finding = _only(_wired(Attached(ports=(port,)), console="/dev/ttyACM0"))
    assert (finding.level, finding.subject) == (Level.MISSING, "permission")
    assert "usermod -aG dialout" in finding.fix


def test_usb_device_without_permission_gets_its_udev_rule() -> None:
    device = UsbDevice("16d0:10ba", "Joulescope JS220", "/dev/bus/usb/001/004", permitted=False)
    (finding,) = examine_machine(Attached(usb=(device,)))
    assert 'ATTR{idVendor}=="16d0"' in finding.fix


def test_one_device_in_two_roles_is_found_behind_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.realpath", lambda path: "/dev/ttyACM0")
    findings = _wired(Attached(ports=(PORT,)), console=PORT.by_id, analyzer="ppk2:/dev/ttyACM0")
    assert any("console and analyzer are one device" in finding.text for finding in findings)


def test_virtual_bench_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_lacking", lambda extra: ["unicorn"])
    findings = _wired(
        Attached(),
        probe="virtual:nrf52840",
        console="virtual://nrf52840/uart0",
        analyzer="joulescope+virtual:nrf52840",
    )
    assert [finding.level for finding in findings] == [Level.MISSING] * 3
    assert all("not installed: unicorn" in finding.text for finding in findings)
    assert {finding.fix for finding in findings} == {'python -m pip install "pytest-lan-hil[virtual]"'}


def test_joulescope_without_its_package_says_what_to_install() -> None:
    finding = _only(_wired(Attached(joulescopes=None), analyzer="joulescope:002557"))
    assert "pytest-lan-hil[joulescope]" in finding.fix


def test_shipped_board_is_in_order() -> None:
    findings = list(examine_board(read_board(ROOT / "boards" / "nrf52840.toml")))
    assert {finding.level for finding in findings} == {Level.OK}
    assert {finding.subject for finding in findings} == {"target", "image lan"}


def test_board_with_unknown_target_and_missing_image(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('target = "z80"\nsupply_v = 3.0\n[images]\nlan = "nosuch.elf"\n')
    target, image = examine_board(read_board(path))
    assert (target.level, target.fix) == (Level.MISSING, "pyocd pack install z80")
    assert image.level is Level.MISSING
    assert "nosuch.elf" in image.text


def _shipped() -> tuple[Bench, Board]:
    return read_bench(ROOT / "benches" / "virtual.toml"), read_board(ROOT / "boards" / "nrf52840.toml")


def test_bench_for_many_boards_asks_for_one_and_is_not_missing() -> None:
    bench, board = _shipped()
    diagnosis = diagnose(Attached((VIRTUAL,)), [bench], None)
    assert diagnosis.ok
    assert "lan-hil doctor --bench virtual --board NAME" in _only(list(diagnosis.findings)).fix
    whole = diagnose(Attached((VIRTUAL,)), [bench], board)
    assert whole.ok
    assert {finding.subject for finding in whole.findings} >= {"probe", "console", "analyzer", "target"}


def test_of_several_benches_each_finding_says_which_it_is_about() -> None:
    bench, _ = _shipped()
    desk = Bench(name="desk", probe="jlink:1")
    subjects = [finding.subject for finding in diagnose(Attached((VIRTUAL,)), [bench, desk], None).findings]
    assert subjects == ["virtual bench", "desk probe"]


def test_a_board_that_is_a_program_needs_no_chip_but_its_build_command(tmp_path: Path) -> None:
    def findings(build: str) -> dict[str, Level]:
        path = tmp_path / "mine.toml"
        path.write_text(f'target = "native"\nbuild = ["{build}"]\n[images]\nlan = "nosuch"\n')
        return {finding.subject: finding.level for finding in examine_board(read_board(path))}

    assert findings("make") == {"build": Level.OK, "target": Level.OK, "image lan": Level.NOTE}
    assert findings("no-such-make")["build"] is Level.MISSING


def test_a_console_that_is_a_program_is_looked_for(tmp_path: Path) -> None:
    def level(console: str) -> Level:
        return _only(list(examine_wiring(Attached(), Wiring(None, console, None, {})))).level

    assert level("exec:{image} --markers /x") is Level.OK
    assert level("exec:no-such-program") is Level.MISSING


def test_no_bench_is_a_note_and_a_wrong_pair_an_error(tmp_path: Path) -> None:
    assert diagnose(Attached(), [], None).ok
    path = tmp_path / "desk.toml"
    path.write_text('boards = ["other"]\nprobe = "jlink:1"\n')
    with pytest.raises(ConfigError, match="does not serve board nrf52840"):
        diagnose(Attached(), [read_bench(path)], _shipped()[1])
