"""Which Joulescope is meant, and what a bench that does not have it is told."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import joulescope.v1.driver
import pytest
from fake_driver import FakeDriver

from pytest_lan_hil.instruments import joulescope_open, open_analyzer
from pytest_lan_hil.model.errors import InputError, InstrumentError

PATH = "u/js220/002557"
PLAYED = "joulescope+played:anything"


@pytest.fixture
def attached(monkeypatch):
    """Attach devices to the real driver's place; returns the driver that stands in for it."""

    def attach(*paths, **options):
        driver = FakeDriver(*paths, **options)
        monkeypatch.setattr(joulescope.v1.driver, "DriverWrapper", lambda: SimpleNamespace(driver=driver))
        return driver

    return attach


@pytest.fixture
def provided(monkeypatch):
    """Provide a driver named "played" through the entry point; returns it and how it was asked for."""

    def provide(driver):
        asked = []

        def open_driver(target, options):
            asked.append((target, dict(options)))
            return driver

        entry = SimpleNamespace(name="played", load=lambda: open_driver)
        monkeypatch.setattr(
            joulescope_open, "entry_points", lambda group: [entry] if group == joulescope_open.DRIVERS else []
        )
        return asked

    return provide


@pytest.mark.parametrize("target", ["", "002557", "2557", "JS220-002557", "js220-2557"])
def test_the_one_device_that_matches_is_opened(attached, target):
    attached(PATH, "u/js110/000009") if target else attached(PATH)
    analyzer = open_analyzer(f"joulescope:{target}", markers={})
    assert (analyzer.identity.model, analyzer.identity.serial) == ("Joulescope JS220", "002557")
    assert analyzer.identity.version == "1.2.3"
    assert not analyzer.identity.simulated
    analyzer.close()


def test_the_model_tells_devices_with_the_same_serial_number_apart(attached):
    attached("u/js110/002557", PATH)
    with pytest.raises(InstrumentError, match="attached: JS110-002557, JS220-002557") as caught:
        open_analyzer("joulescope:002557", markers={})
    assert 'analyzer = "joulescope:JS110-002557"' in caught.value.fix
    analyzer = open_analyzer("joulescope:JS110-002557", markers={})
    assert str(analyzer.identity) == "Joulescope JS110 002557"
    analyzer.close()


def test_none_attached_says_so_and_what_to_check(attached):
    attached()
    with pytest.raises(InstrumentError, match=r"want exactly one Joulescope .* attached: none") as caught:
        open_analyzer("joulescope:", markers={})
    assert "udev" in caught.value.fix


def test_two_attached_need_a_serial_number(attached):
    attached(PATH, "u/js220/000123")
    with pytest.raises(InstrumentError, match=r"want exactly one .* JS220-000123, JS220-002557") as caught:
        open_analyzer("joulescope:", markers={})
    assert 'analyzer = "joulescope:JS220-000123"' in caught.value.fix


@pytest.mark.parametrize("target", ["999999", "000000", "JS110-002557"])
def test_another_device_than_the_one_meant_is_not_taken(attached, target):
    attached(PATH)
    with pytest.raises(InstrumentError, match=f"want Joulescope {target} .* attached: JS220-002557"):
        open_analyzer(f"joulescope:{target}", markers={})


def test_a_model_that_is_not_supported_is_named(attached):
    attached("u/js330/000001")
    with pytest.raises(InstrumentError, match=r"\(JS220 or JS110 or JS320\), attached: JS330-000001"):
        open_analyzer("joulescope:", markers={})


def test_a_js320_is_opened_where_the_package_knows_it(attached, monkeypatch):
    class DeviceJs320(joulescope.v1.js220.DeviceJs220):
        pass

    module = SimpleNamespace(DeviceJs320=DeviceJs320)
    monkeypatch.setitem(sys.modules, "joulescope.v1.js320", module)
    attached("u/js320/000001")
    analyzer = open_analyzer("joulescope:JS320-1", markers={"inference": "trigger"})
    try:
        assert analyzer.identity.model == "Joulescope JS320"
    finally:
        analyzer.close()


def test_a_js320_that_the_package_does_not_know_is_told_with_the_way_out(attached, monkeypatch):
    monkeypatch.setitem(sys.modules, "joulescope.v1.js320", None)
    attached("u/js320/000001")
    with pytest.raises(InstrumentError, match="does not know the JS320") as caught:
        open_analyzer("joulescope:", markers={})
    assert "pip install -U joulescope" in caught.value.fix


def test_an_option_that_a_real_device_lacks_is_refused(attached):
    attached(PATH)
    with pytest.raises(InputError, match="no option 'gpi0'") as caught:
        open_analyzer("joulescope:?gpi0=P0.13", markers={})
    assert "i_range" in caught.value.fix


def test_ranges_are_set_on_the_device_and_not_handed_to_the_driver(provided):
    driver = FakeDriver(PATH)
    asked = provided(driver)
    analyzer = open_analyzer(f"{PLAYED}?i_range=18 mA&seed=3", markers={})
    assert asked == [("anything", {"seed": "3"})]
    assert driver.published.index(("s/i/range/select", "18 mA")) < driver.published.index(
        ("s/i/range/mode", "manual")
    )
    analyzer.close()


def test_a_range_that_the_model_lacks_is_refused_and_everything_released(provided):
    driver = FakeDriver(PATH)
    provided(driver)
    with pytest.raises(InputError, match="has no i_range '7 A'"):
        open_analyzer(f"{PLAYED}?i_range=7 A", markers={})
    assert driver.finalized == 1
    assert ("close", PATH) in driver.published
    assert driver.subscribed == []


@pytest.mark.parametrize(
    ("path", "markers", "message", "fix"),
    [
        (PATH, {"inference": "gpi9"}, "'inference' is wired to 'gpi9', which a JS220 does not have", "gpi3"),
        ("u/js110/1", {"inference": "gpi2"}, "'gpi2', which a JS110 does not have", "gpi0, gpi1"),
        (
            PATH,
            {"inference": "gpi0", "phase": "gpi0"},
            "'inference' and 'phase' are both wired to gpi0",
            "own",
        ),
    ],
)
def test_marker_lines_that_can_not_be_wired_so_are_refused(provided, path, markers, message, fix):
    driver = FakeDriver(path)
    provided(driver)
    with pytest.raises(InputError, match=message) as caught:
        open_analyzer(PLAYED, markers=markers)
    assert fix in caught.value.fix
    assert driver.finalized == 1


def test_a_device_that_does_not_open_is_released(provided):
    driver = FakeDriver(PATH, refuses={"open"})
    provided(driver)
    with pytest.raises(
        InstrumentError, match="opening Joulescope JS220 002557: jsdrv_open timed out"
    ) as caught:
        open_analyzer(PLAYED, markers={})
    assert "other programs" in caught.value.fix
    assert driver.finalized == 1
    assert driver.subscribed == []


def test_an_unknown_driver_is_refused_with_the_drivers_there_are(provided):
    provided(FakeDriver(PATH))
    with pytest.raises(InputError, match="no Joulescope driver 'imaginary'") as caught:
        open_analyzer("joulescope+imaginary:x", markers={})
    assert "played" in caught.value.fix


@pytest.mark.parametrize("missing", ["joulescope.v1.driver", "joulescope"])
def test_without_the_joulescope_package_the_extra_to_install_is_named(attached, monkeypatch, missing):
    attached(PATH)
    for module in ("joulescope.v1.js220", "joulescope.v1"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, missing, None)  # makes its import fail
    with pytest.raises(InstrumentError, match="joulescope package is not installed") as caught:
        open_analyzer("joulescope:", markers={})
    assert 'pip install "pytest-lan-hil[joulescope]"' in caught.value.fix


def test_a_driver_that_lacks_its_packages_names_the_extra_to_install(monkeypatch):
    def load():
        raise ModuleNotFoundError("No module named 'unicorn'")

    entry = SimpleNamespace(name="virtual", load=load)
    monkeypatch.setattr(joulescope_open, "entry_points", lambda group: [entry])
    with pytest.raises(InstrumentError, match="No module named 'unicorn'") as caught:
        open_analyzer("joulescope+virtual:nrf52840", markers={})
    assert 'pip install "pytest-lan-hil[virtual]"' in caught.value.fix
