"""What a board or bench file that is right gives, and what one that is wrong says."""

from pathlib import Path
from textwrap import dedent

import pytest

from pytest_lan_hil.config import read_bench, read_board
from pytest_lan_hil.model.errors import ConfigError, ImageError
from pytest_lan_hil.model.quantities import QUANTITIES

SMALLEST = 'target = "nrf52840"\nsupply_v = 3.0\n'


def board(folder: Path, text: str, name: str = "b"):
    path = folder / f"{name}.toml"
    path.write_text(dedent(text), encoding="utf-8")
    return read_board(path)


def bench(folder: Path, text: str, name: str = "desk"):
    path = folder / f"{name}.toml"
    path.write_text(dedent(text), encoding="utf-8")
    return read_bench(path)


def complaint(folder: Path, read, text: str, name: str) -> str:
    with pytest.raises(ConfigError) as raised:
        read(folder, text, name)
    return str(raised.value).replace(str(folder) + "/", "")


def test_a_smallest_board_has_the_documented_defaults(tmp_path):
    found = board(tmp_path, SMALLEST, "mine")
    assert (found.name, found.title, found.target, found.virtual) == ("mine", "", "nrf52840", None)
    assert (found.supply_v, found.baudrate, found.default_image) == (3.0, 115200, "")
    assert (found.images, found.marker_pins, found.targets) == ({}, {}, {})
    assert (found.flash, found.ram) == (None, None)
    assert found.path == tmp_path / "mine.toml"


def test_images_are_relative_to_the_file_and_a_single_one_is_the_default(tmp_path):
    found = board(tmp_path, SMALLEST + '[images]\napp = "../fw/app.elf"\n')
    assert found.images == {"app": tmp_path.parent / "fw" / "app.elf"}
    assert found.default_image == "app"


def test_targets_are_keyed_by_quantity_for_every_row_of_the_table(tmp_path):
    rows = "".join(f"{row.target_key} = {index}\n" for index, row in enumerate(QUANTITIES.values(), 1))
    found = board(tmp_path, SMALLEST + "[targets]\n" + rows)
    assert found.targets == {name: float(index) for index, name in enumerate(QUANTITIES, 1)}


def test_memory_ranges_tell_their_end_and_what_is_inside(tmp_path):
    found = board(tmp_path, SMALLEST + "[ram]\nstart = 0x2000_0000\nsize_kib = 256\n")
    assert found.ram.end == 0x2004_0000
    assert 0x2003_FFFF in found.ram
    assert 0x2004_0000 not in found.ram


def test_a_description_is_frozen(tmp_path):
    found = board(tmp_path, SMALLEST)
    with pytest.raises(Exception, match="frozen"):
        found.supply_v = 5.0


@pytest.mark.parametrize("pin", ["P0.13", "P1.09", "PA5", "PC13", "GPIO7"])
def test_pins_may_be_written_as_the_data_sheets_do(tmp_path, pin):
    assert board(tmp_path, SMALLEST + f'[marker_pins]\ninference = "{pin}"\n').marker_pins == {
        "inference": pin
    }


def test_a_bench_may_leave_out_what_it_does_not_have(tmp_path):
    found = bench(tmp_path, 'probe = "auto"\n')
    assert (found.probe, found.console, found.analyzer, found.markers) == ("auto", None, None, {})
    assert (found.boards, found.settle_s) == ((), 0.2)


@pytest.mark.parametrize(
    "line",
    [
        'probe = "jlink:000683456789"',
        'probe = "cmsisdap:0240000034544e45"',
        'probe = "virtual:{virtual}"',
        'console = "/dev/ttyACM0"',
        'console = "COM3"',
        'console = "exec:./build/lan --quiet"',
        'console = "socket://lab-7:4000"',
        'console = "virtual://{virtual}/uart0"',
        'analyzer = "joulescope:"',
        'analyzer = "joulescope:002557"',
        'analyzer = "ina219:/dev/i2c-1?address=0x40"',
        'analyzer = "joulescope+virtual:{virtual}?gpi0={pin.inference}&supply_v={supply_v}"',
    ],
)
def test_device_uris_of_every_documented_form_are_accepted(tmp_path, line):
    key, _, uri = line.partition(" = ")
    assert getattr(bench(tmp_path, line + "\n"), key) == uri.strip('"')


def test_probe_and_console_of_one_usb_device_do_not_collide(tmp_path):
    found = bench(tmp_path, 'probe = "jlink:000683"\nconsole = "/dev/serial/by-id/usb-SEGGER_000683-if00"\n')
    assert found.probe == "jlink:000683"


TARGET_KEYS = ", ".join(row.target_key for row in QUANTITIES.values())


def test_all_errors_of_a_board_are_told_at_once_in_line_order(tmp_path):
    text = """\
        title = 5
        targett = "nrf52840"
        supply_v = "3.0"
        baudrate = -1
        default_image = "lann"

        [images]
        lan = "x.elf"
        two = "y.elf"

        [marker_pins]
        inference = "13"
        Phase = "P0.14"

        [targets]
        power_mw = -0.9
        latency_mss = 3
        memory_kb = "32"

        [flash]
        size_kib = 1.5

        [ram]
        start = 0xFFFF_0000
        size_kib = 256
        """
    assert complaint(tmp_path, board, text, "bad") == dedent(
        """\
        bad.toml:1: [title] must be text in quotes, but is a number (5)
          fix: write  title = "5"
        bad.toml:2: [targett] unknown key "targett"
          fix: did you mean "target"? Known keys: name, title, target, pack, virtual, supply_v, \
build, baudrate, \
images, default_image, marker_pins, targets, margins, battery, temperature_error_k, flash, ram
        bad.toml:3: [supply_v] must be a number, but is text ("3.0")
          fix: write  supply_v = 3.0
        bad.toml:4: [baudrate] must be more than 0, but is -1
          fix: write for example  baudrate = 115200
        bad.toml:5: [default_image] "lann" is not one of the images (lan, two)
          fix: write  default_image = "lan"
        bad.toml:12: [marker_pins.inference] "13" is not a pin
          fix: write "P0.13" (port.pin), "PA5" or "GPIO7", as the data sheet does
        bad.toml:13: [marker_pins.Phase] "Phase" is not a marker line's name
          fix: use lower-case letters, digits and _, as in "inference"
        bad.toml:16: [targets.power_mw] must be more than 0, but is -0.9
          fix: write for example  power_mw = 1.2
        bad.toml:17: [targets.latency_mss] unknown key "latency_mss" in [targets]
          fix: did you mean "latency_ms"? Known keys: TARGET_KEYS
        bad.toml:18: [targets.memory_kb] must be a number, but is text ("32")
          fix: write  memory_kb = 32
        bad.toml:20: [flash.start] is missing
          fix: add the line  start = 0x2000_0000
        bad.toml:21: [flash.size_kib] must be a whole number, but is a number (1.5)
          fix: write  size_kib = 256
        bad.toml:23: [ram] ends at 0x100030000, beyond the 32-bit address space
          fix: check start and size_kib"""
    ).replace("TARGET_KEYS", TARGET_KEYS)


def test_all_errors_of_a_bench_are_told_at_once_in_line_order(tmp_path):
    text = """\
        probe = "000683"
        console = "ttyUSB0"
        analyzer = "joulescope+virtual:{virtul}?gpi0=P0.13"
        boards = "nrf"
        settle_s = -1
        [markers]
        inference = "gpi0"
        phase = "gpi0"
        [settle]
        x = 1
        """
    assert complaint(tmp_path, bench, text, "bad") == dedent(
        """\
        bad.toml:1: [probe] "000683" does not name a probe
          fix: write "kind:uid", as in "jlink:000683456789" or "cmsisdap:0240000034544e45", or "auto"
        bad.toml:2: [console] "ttyUSB0" does not name a console
          fix: write a device such as "/dev/serial/by-id/usb-..." or "COM3", or a pyserial URL such as \
"socket://host:port"
        bad.toml:3: [analyzer] "{virtul}" is not a placeholder
          fix: use one of {board}, {target}, {virtual}, {supply_v}, {baudrate}, {image}, \
{pin.<marker line>}, {scratch}
        bad.toml:4: [boards] must be a list, but is text ("nrf")
          fix: write  boards = ["nrf"]
        bad.toml:5: [settle_s] must be at least 0, but is -1
          fix: write for example  settle_s = 0.2
        bad.toml:8: [markers.phase] input gpi0 is already taken by marker line inference
          fix: give phase its own input
        bad.toml:9: [settle] unknown key "settle"
          fix: did you mean "settle_s"? Known keys: name, title, boards, probe, console, \
analyzer, markers, edges, edge_lines, sync, settle_s"""
    )


BOARD_ERRORS = {
    "missing keys name an example line": (
        "title = 'x'\n",
        'b.toml: [target] is missing\n  fix: add the line  target = "nrf52840"',
    ),
    "a board's name is its file's": (
        'name = "other"\n' + SMALLEST,
        'b.toml:1: [name] is "other", but the file is called b.toml\n'
        "  fix: remove the line, or rename the file to other.toml",
    ),
    "two marker lines on one pin": (
        SMALLEST + '[marker_pins]\ninference = "P0.13"\nphase = "P0.13"\n',
        "b.toml:5: [marker_pins.phase] pin P0.13 is already taken by marker line inference\n"
        "  fix: give phase its own pin",
    ),
    "several images need a default": (
        SMALLEST + '[images]\nlan = "a.elf"\ntwo = "b.elf"\n',
        'b.toml: [default_image] is missing (lan, two)\n  fix: write  default_image = "lan"',
    ),
    "a truth value is no number": (
        'target = "x"\nsupply_v = true\n',
        "b.toml:2: [supply_v] must be a number, but is a truth value (true)\n  fix: write  supply_v = 3.0",
    ),
    "infinity is no budget": (
        SMALLEST + "[targets]\npower_mw = inf\n",
        "b.toml:4: [targets.power_mw] must be a finite number, but is inf\n"
        "  fix: write for example  power_mw = 1.2",
    ),
    "a table where a number is wanted": (
        'target = "x"\n[supply_v]\nx = 1\n',
        "b.toml:2: [supply_v] must be a number, but is a table ({ x = 1 })\n  fix: write  supply_v = 3.0",
    ),
    "targets are a table": (
        SMALLEST + "targets = 3\n",
        "b.toml:3: [targets] must be a table, but is a number (3)\n  fix: write  [targets]  latency_ms = 1.2",
    ),
    "a memory range is a table": (
        SMALLEST + "ram = 256\n",
        "b.toml:3: [ram] must be a table, but is a number (256)\n"
        "  fix: write  ram = { start = 0x2000_0000, size_kib = 256 }",
    ),
    "an image is a path": (
        SMALLEST + "[images]\nlan = 3\n",
        "b.toml:4: [images.lan] must be text in quotes, but is a number (3)\n"
        '  fix: write  lan = "../build/lan.elf"',
    ),
    "an empty image path": (
        SMALLEST + '[images]\nlan = ""\n',
        "b.toml:4: [images.lan] the path is empty\n"
        '  fix: write the path from this file, as in "../build/app.elf"',
    ),
    "not TOML": (
        'target = "nrf52840"\nsupply_v 3.0\n',
        "b.toml:2: is not valid TOML: expected '=' after a key in a key/value pair at column 10\n"
        '  fix: a line is  key = "text"  or  key = 3.0  or  [table]',
    ),
    "a key twice": (
        'target = "nrf52840"\ntarget = "x"\n',
        "b.toml:2: is not valid TOML: cannot overwrite a value at column 13\n"
        '  fix: a line is  key = "text"  or  key = 3.0  or  [table]',
    ),
    "an empty file": (
        "# nothing\n",
        "b.toml: the file says nothing: no board in it\n"
        '  fix: a board needs at least  target = "nrf52840"  and  supply_v = 3.0',
    ),
}


@pytest.mark.parametrize(("text", "expected"), BOARD_ERRORS.values(), ids=list(BOARD_ERRORS))
def test_a_board_error_names_line_key_and_fix(tmp_path, text, expected):
    assert complaint(tmp_path, board, text, "b") == expected


BENCH_ERRORS = {
    "two roles on one device file": (
        'probe = "auto"\nconsole = "/dev/ttyACM0"\nanalyzer = "ppk2:/dev/ttyACM0"\n',
        "desk.toml:3: [analyzer] console and analyzer name the same device, ppk2:/dev/ttyACM0\n"
        "  fix: give analyzer the device that is wired to it; see `lan-hil doctor`",
    ),
    "two roles on one Windows port": (
        'console = "COM3"\nanalyzer = "ppk2:com3"\n',
        "desk.toml:2: [analyzer] console and analyzer name the same device, ppk2:com3\n"
        "  fix: give analyzer the device that is wired to it; see `lan-hil doctor`",
    ),
    "marker lines without an analyzer": (
        'probe = "auto"\n[markers]\ninference = "gpi0"\n',
        "desk.toml:2: [markers] wires marker lines, but the bench has no analyzer\n"
        '  fix: add  analyzer = "joulescope:002557"  or remove the table',
    ),
    "no device at all": (
        "settle_s = 0.1\n",
        'desk.toml: names no device\n  fix: add at least one, as in  probe = "auto"',
    ),
    "analyzer options without values": (
        'analyzer = "joulescope+virtual:x?gpi0"\n',
        'desk.toml:1: [analyzer] the options of "joulescope+virtual:x?gpi0" can\'t be read\n'
        '  fix: write them as "?key=value&key=value"',
    ),
    "an unpaired brace": (
        'probe = "virtual:{virtual"\n',
        'desk.toml:1: [probe] "virtual:{virtual" has an unpaired brace\n'
        '  fix: placeholders are written "{virtual}"',
    ),
    "an input that is none": (
        'analyzer = "joulescope:"\n[markers]\ninference = "GPI 0"\n',
        'desk.toml:3: [markers.inference] "GPI 0" is not an instrument input\n'
        '  fix: write the input\'s name, as in "gpi0"',
    ),
    "a board list with something else in it": (
        'probe = "auto"\nboards = [\n  "a",\n  7,\n]\n',
        "desk.toml:4: [boards[1]] must be text in quotes, but is a number (7)\n"
        '  fix: write for example  boards = ["nrf52840"]',
    ),
}


@pytest.mark.parametrize(("text", "expected"), BENCH_ERRORS.values(), ids=list(BENCH_ERRORS))
def test_a_bench_error_names_line_key_and_fix(tmp_path, text, expected):
    assert complaint(tmp_path, bench, text, "desk") == expected


def test_a_file_that_is_not_utf8_names_the_line(tmp_path):
    path = tmp_path / "b.toml"
    path.write_bytes(b'target = "x"\n# M\xfcnchen\n')
    with pytest.raises(ConfigError, match=r"b\.toml:2: byte 0xfc is not UTF-8"):
        read_board(path)


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "b.toml"
    path.write_text(SMALLEST, encoding="utf-8-sig")
    assert read_board(path).target == "nrf52840"


def test_a_folder_is_not_a_board(tmp_path):
    with pytest.raises(ConfigError, match="is a folder, a board file is wanted"):
        read_board(tmp_path)


def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(ConfigError, match="there is no such bench file"):
        read_bench(tmp_path / "x.toml")


def test_an_image_is_chosen_by_name_by_file_or_by_default(tmp_path):
    for name in ("a.elf", "b.elf", "c.elf"):
        (tmp_path / name).touch()
    found = board(tmp_path, 'default_image = "two"\n' + SMALLEST + '[images]\none = "a.elf"\ntwo = "b.elf"\n')
    assert found.image("one") == tmp_path / "a.elf"
    assert found.image() == tmp_path / "b.elf"
    assert found.image(tmp_path / "c.elf") == tmp_path / "c.elf"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("lna", 'has no image "lna"\n  fix: did you mean lan'),
        (None, "is not there\n  fix: build it"),
        ("nowhere/x.elf", "image nowhere/x.elf of board b is not there"),
    ],
)
def test_an_image_that_is_not_there_is_an_image_error(tmp_path, wanted, message):
    found = board(tmp_path, SMALLEST + '[images]\nlan = "gone.elf"\n')
    with pytest.raises(ImageError) as raised:
        found.image(wanted)
    assert message in str(raised.value)


def test_a_board_without_images_says_how_to_add_one(tmp_path):
    with pytest.raises(ImageError, match="names no firmware image"):
        board(tmp_path, SMALLEST).image()
