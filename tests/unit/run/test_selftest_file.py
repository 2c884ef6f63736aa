"""The stored result of a self-test: read back as written, refused when it is something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_lan_hil.config import read_bench
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.selftest import SelfTest
from pytest_lan_hil.run.selftest import load_selftest, selftest_path, store_selftest

RESULT = SelfTest("INA219 1", "2026-11-24T10:00:00Z", False, 3.0, 1e-6, 2e-7, 0.1, 0.002, 200)


@pytest.fixture
def desk(tmp_path: Path):
    (tmp_path / "desk.toml").write_text('probe = "auto"\n')
    return read_bench(tmp_path / "desk.toml")


def test_it_is_kept_beside_the_bench_and_read_back(desk):
    assert load_selftest(desk) is None
    path = selftest_path(desk)
    store_selftest(RESULT, path)
    assert path.name == "desk.selftest.json"
    assert load_selftest(desk) == RESULT


@pytest.mark.parametrize(
    ("key", "value"),
    [("supply_v", "abc"), ("offset_a", float("nan")), ("edges", 1.5), ("simulated", 1), ("colour", "red")],
)
def test_a_file_that_is_no_result_is_refused_before_anything_is_measured(desk, key, value):
    store_selftest(RESULT, selftest_path(desk))
    path = selftest_path(desk)
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(InputError, match=key):
        load_selftest(desk)


def test_a_result_that_can_not_be_written_says_what_to_do(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as raised:
        store_selftest(RESULT, tmp_path / "file" / "desk.selftest.json")
    assert "--out FILE" in raised.value.fix
