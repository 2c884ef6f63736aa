"""What is kept of the images that were tested, and profiles as files."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from past_runs import past

from pytest_lan_hil.dut.footprint import footprint
from pytest_lan_hil.dut.growth import Footprint, ObjectSize
from pytest_lan_hil.dut.image import load_image
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.profile import Counted, FunctionTime, Profile
from pytest_lan_hil.model.record import FirmwareIdentity, RunRecord
from pytest_lan_hil.publish import images
from pytest_lan_hil.publish.images import ImageFacts, from_json, keep_images, read_image, to_json
from pytest_lan_hil.publish.profile_file import PROFILE_NAME, read_profile, write_profile

PREBUILT = Path(__file__).resolve().parents[3] / "firmware" / "prebuilt" / "nrf52840"
SIZES = st.integers(0, 2**31)
NAMES = st.text(min_size=1, max_size=20)


def record_of(path: Path, sha256: str, *, proved: bool = True) -> RunRecord:
    record = past(1)
    firmware = FirmwareIdentity(str(path), sha256, proved=proved)
    return replace(record, tests=tuple(replace(test, firmware=firmware) for test in record.tests))


def test_of_each_image_objects_and_functions_are_kept(tmp_path: Path) -> None:
    image = load_image(PREBUILT / "lan.elf")
    keep_images(record_of(image.path, image.sha256), tmp_path)
    facts = read_image(tmp_path, image.sha256)
    assert facts is not None
    assert facts.name == "lan.elf"
    assert facts.footprint == footprint(image)
    assert facts.footprint.by_map
    address, size, name = next(one for one in image.functions if one[2] == "lan_dense")
    assert address
    assert facts.functions[name] == size


def test_an_image_that_is_known_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = load_image(PREBUILT / "lan.elf")
    record = record_of(image.path, image.sha256)
    keep_images(record, tmp_path)
    monkeypatch.setattr(images, "_keep", lambda *_: pytest.fail("it was read again"))
    keep_images(record, tmp_path)


@pytest.mark.parametrize("trouble", ["gone", "another", "no ELF", "not proved", "folder in the way"])
def test_whatever_is_wrong_with_an_image_nothing_is_kept_and_no_error_raised(
    tmp_path: Path, trouble: str
) -> None:
    path = Path(shutil.copy(PREBUILT / "lan.elf", tmp_path))
    sha256 = load_image(path).sha256
    if trouble == "gone":
        path.unlink()
    elif trouble == "another":
        path.write_bytes(path.read_bytes() + b"\0")
    elif trouble == "no ELF":
        path.write_bytes(b"\x7fELF and nothing else")
    elif trouble == "folder in the way":
        (tmp_path / "images").write_text("a file")
    keep_images(record_of(path, sha256, proved=trouble != "not proved"), tmp_path)
    assert read_image(tmp_path, sha256) is None


@given(st.dictionaries(NAMES, st.tuples(SIZES, SIZES)), st.dictionaries(NAMES, SIZES), NAMES)
def test_facts_read_back_are_those_that_were_kept(
    objects: dict[str, tuple[int, int]], functions: dict[str, int], source: str
) -> None:
    table = Footprint(tuple(ObjectSize(name, *sizes) for name, sizes in objects.items()), source)
    facts = ImageFacts("lan.elf", table, functions)
    assert from_json(to_json(facts)) == facts


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema_version": 99}', '{"schema_version": 1, "objects": 1}']
)
def test_facts_that_are_damaged_count_as_unknown(tmp_path: Path, text: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / f"{'ab' * 32}.json").write_text(text)
    assert read_image(tmp_path, "ab" * 32) is None


def test_a_hash_that_could_leave_the_folder_is_no_hash(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "elsewhere.json").write_text(to_json(ImageFacts("x", Footprint((), ""), {})))
    assert read_image(tmp_path, "../elsewhere") is None


# Profiles -------------------------------------------------------------------------------------------------

ROWS = st.lists(
    st.builds(FunctionTime, NAMES, st.integers(0, 2**53), st.floats(0, 1e9, allow_nan=False)), max_size=5
)
PROFILES = st.builds(
    Profile,
    firmware_sha256=st.just("ab" * 32),
    counted=st.sampled_from(Counted),
    inferences=st.integers(1, 10**6),
    duration_s=st.floats(0, 1e6),
    asleep_s=st.floats(0, 1e6),
    total=st.integers(1, 2**53),
    functions=ROWS.map(tuple),
)


@given(PROFILES)
def test_a_profile_read_back_is_the_one_that_was_written(
    tmp_path_factory: pytest.TempPathFactory, profile: Profile
) -> None:
    folder = tmp_path_factory.mktemp("run")
    write_profile(profile, folder, run_id="r1", board="nrf52840", bench="desk", simulated=False)
    assert read_profile(folder) == profile


def test_a_run_without_a_profile_has_none(tmp_path: Path) -> None:
    assert read_profile(tmp_path) is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema_version": 2}, "schema version is 2"),
        ({"counted": "ticks"}, "'ticks' is not a valid Counted"),
        ({"inferences": 0}, "it counted nothing"),
        ({"functions": [{"name": "f"}]}, "'amount'"),
        ({"functions": 3}, "not iterable"),
    ],
)
def test_a_profile_that_is_damaged_is_told_with_its_path(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    profile = Profile("ab", Counted.CYCLES, 1, 1.0, 0.0, 10, (FunctionTime("f", 10, 0.0),))
    path = write_profile(profile, tmp_path, run_id="r1", board="b", bench="d", simulated=True)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=f"{PROFILE_NAME} can't be read: .*{told}"):
        read_profile(tmp_path)
