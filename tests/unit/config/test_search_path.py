import sys
from pathlib import Path

import pytest

from pytest_lan_hil.config import (
    SearchPath,
    list_benches,
    list_boards,
    load_bench,
    load_board,
    search,
    shipped_root,
)
from pytest_lan_hil.model.errors import ConfigError, InputError

BOARD = 'target = "nrf52840"\nsupply_v = 3.0\n'


def put_board(folder: Path, name: str, title: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(f'title = "{title}"\n{BOARD}', encoding="utf-8")
    return path


@pytest.fixture
def installed_package(tmp_path, monkeypatch):
    """A distribution in `site` that offers boards in package `acme_boards`."""
    site = tmp_path / "site"
    put_board(site / "acme_boards", "acme", "from entry point")
    put_board(site / "acme_boards", "nrf52840", "from entry point")
    (site / "acme_boards" / "__init__.py").write_text("raise RuntimeError('must not be run')\n")
    info = site / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[pytest_lan_hil.boards]\nacme = acme_boards\nlost = no_such_package\n"
    )
    monkeypatch.syspath_prepend(str(site))
    yield site
    sys.modules.pop("acme_boards", None)


def test_shipped_boards_and_benches_are_found_from_any_project(tmp_path):
    path = SearchPath.default(tmp_path)
    assert "nrf52840" in [found.name for found in list_boards(path)]
    assert {"virtual", "example-joulescope"} <= {found.name for found in list_benches(path)}
    assert load_board("nrf52840", path).title == "Nordic nRF52840-DK (PCA10056)"
    assert load_bench("virtual", path).probe == "virtual:{virtual}"


def test_the_project_comes_first_then_its_option_then_entry_points_then_shipped(tmp_path, installed_package):
    project = tmp_path / "project"
    project.mkdir()
    assert load_board("nrf52840", SearchPath.default(project)).title == "from entry point"
    put_board(project / "more", "nrf52840", "from option")
    assert load_board("nrf52840", SearchPath.default(project, ["more"])).title == "from option"
    put_board(project / "boards", "nrf52840", "from project")
    assert load_board("nrf52840", SearchPath.default(project, ["more"])).title == "from project"


def test_an_entry_point_offers_its_boards_without_being_run(tmp_path, installed_package):
    assert load_board("acme", SearchPath.default(tmp_path)).title == "from entry point"
    assert "acme_boards" not in sys.modules


def test_the_listing_shows_what_would_be_loaded_and_from_where(tmp_path, installed_package):
    mine = put_board(tmp_path / "boards", "mine", "x")
    found = {entry.name: entry for entry in list_boards(SearchPath.default(tmp_path))}
    assert (found["mine"].path, found["mine"].origin) == (mine, "project")
    assert found["acme"].origin == "entry point acme"
    assert found["nrf52840"].origin == "entry point acme"


def test_an_unknown_board_names_the_nearest_and_every_place(tmp_path, installed_package):
    with pytest.raises(InputError) as raised:
        load_board("nrf52480", SearchPath.default(tmp_path))
    message = str(raised.value)
    shipped = {file.stem for file in (shipped_root() / "boards").glob("*.toml")}
    known = ", ".join(sorted({"acme", *shipped}))
    assert message.startswith(f'unknown board "nrf52480"; known: {known}\n  looked in:\n')
    assert f"    {tmp_path / 'boards'} (project; no such folder)" in message
    assert "(entry point lost; no module named 'no_such_package')" in message
    assert f"    {shipped_root() / 'boards'} (shipped)" in message
    assert message.endswith(f"fix: did you mean nrf52840? or add nrf52480.toml to {tmp_path / 'boards'}")


def test_names_are_not_paths_and_paths_are_not_names(tmp_path, monkeypatch):
    put_board(tmp_path / "project", "loose", "by path")
    monkeypatch.chdir(tmp_path)
    path = SearchPath.default(tmp_path / "elsewhere")
    assert load_board("project/loose.toml", path).title == "by path"
    with pytest.raises(InputError, match='unknown board "loose"'):
        load_board("loose", path)


def test_a_relative_file_is_tried_against_the_project_too(tmp_path, monkeypatch):
    put_board(tmp_path / "project" / "hw", "loose", "by path")
    monkeypatch.chdir(tmp_path)
    assert load_board("hw/loose.toml", SearchPath.default(tmp_path / "project")).title == "by path"


def test_a_file_that_is_not_there_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="there is no such bench file"):
        load_bench("nowhere/desk.toml", SearchPath.default(tmp_path))


def test_a_configured_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"hil_boards names the folder .*gone, which is not there"):
        SearchPath.default(tmp_path, ["gone"])
    with pytest.raises(InputError, match="hil_benches names the folder"):
        SearchPath.default(tmp_path, [], ["gone"])


def test_an_installed_package_carries_its_boards_inside(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "pytest_lan_hil"
    put_board(package / "shipped" / "boards", "nrf52840", "wheel")
    # A stranger's top-level folder beside the package must not be taken for ours.
    put_board(package.parent / "boards", "nrf52840", "stranger")
    monkeypatch.setattr(search, "__file__", str(package / "config" / "search.py"))
    assert load_board("nrf52840", SearchPath.default(tmp_path)).title == "wheel"


def test_shipped_images_lie_beside_the_shipped_boards():
    found = load_board("nrf52840", SearchPath.default(shipped_root()))
    assert found.images["lan"] == shipped_root() / "firmware" / "prebuilt" / "nrf52840" / "lan.elf"
