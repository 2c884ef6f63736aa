"""Which probe a URI means: exactly one, or a refusal that lists what is attached."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lan_hil.dut import find
from pytest_lan_hil.model.errors import ProbeError


def driver(*uids: str, simulated: bool = False, broken: bool = False) -> Any:
    """A pyOCD probe class with these probes attached."""

    class Driver:
        def __init__(self, uid: str) -> None:
            self.unique_id, self.description = uid, f"probe {uid}"

        @classmethod
        def get_all_connected_probes(cls, uid: object, is_explicit: object) -> list[Any]:
            if broken:
                raise RuntimeError("no USB library")
            return [cls(uid) for uid in uids]

    Driver.simulated = simulated
    return Driver


@pytest.fixture
def attach(monkeypatch: pytest.MonkeyPatch) -> Any:
    def attached(**drivers: Any) -> None:
        monkeypatch.setattr(find, "_plugins", lambda: drivers)

    return attached


def test_exact_uid_whatever_its_case(attach: Any) -> None:
    attach(jlink=driver("00AB"), cmsisdap=driver("00AB"))
    handle, info = find.find_probe("jlink:00ab")
    assert (handle.unique_id, info.uri) == ("00AB", "jlink:00AB")


def test_part_of_a_uid_is_no_match(attach: Any) -> None:
    attach(jlink=driver("00AB"))
    with pytest.raises(
        ProbeError, match=r"want probe jlink:00A: not there; attached: jlink:00AB \(probe 00AB\)"
    ):
        find.find_probe("jlink:00A")


def test_twins_are_never_chosen_between(attach: Any) -> None:
    attach(cmsisdap=driver("1", "1"))
    with pytest.raises(ProbeError, match="2 match: cmsisdap:1"):
        find.find_probe("cmsisdap:1")


def test_auto_takes_the_only_real_probe_and_never_a_simulated_one(attach: Any) -> None:
    attach(jlink=driver("1"), virtual=driver("nrf52840", simulated=True))
    assert find.find_probe("auto")[1].uri == "jlink:1"
    attach(jlink=driver(), virtual=driver("nrf52840", simulated=True))
    with pytest.raises(ProbeError, match="not there; attached: virtual:nrf52840"):
        find.find_probe("auto")
    attach(jlink=driver("1"), stlink=driver("2"))
    with pytest.raises(ProbeError, match=r"2 match: jlink:1 .*, stlink:2"):
        find.find_probe("auto")


def test_unknown_kind_is_told_with_those_that_exist(attach: Any) -> None:
    attach(jlink=driver("1"))
    with pytest.raises(ProbeError) as caught:
        find.find_probe("jlinq:1")
    assert "use one of jlink" in caught.value.fix
    with pytest.raises(ProbeError) as caught:
        find.find_probe("virtual:nrf52840")
    assert "pytest-lan-hil[virtual]" in caught.value.fix


def test_a_driver_that_can_not_list_does_not_hide_the_others(attach: Any) -> None:
    attach(stlink=driver(broken=True), jlink=driver("1"))
    assert [probe.uri for probe in find.list_probes()] == ["jlink:1"]


def test_kind_says_whether_it_is_simulated_without_listing_anything(attach: Any) -> None:
    attach(jlink=driver(broken=True), virtual=driver(simulated=True, broken=True))
    assert find.simulated_kind("virtual:nrf52840")
    assert not find.simulated_kind("jlink:1")
    assert not find.simulated_kind("auto")


def test_a_driver_that_pyocd_hides_says_what_to_install(attach: Any) -> None:
    attach(cmsisdap=driver("1"))
    with pytest.raises(ProbeError, match="no probe driver 'jlink'") as caught:
        find.find_probe("jlink:1")
    assert "J-Link software" in caught.value.fix
