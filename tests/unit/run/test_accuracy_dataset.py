"""Recordings: what can't be played is refused before anything is, with what was found and what mends it."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import wave
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fake_ears import LABELS, audio, write_dataset, write_wave
from hypothesis import given
from hypothesis import strategies as st
from required import binary

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.run.accuracy.dataset import load_dataset
from pytest_lan_hil.run.accuracy.wave_file import Unusable, read_wave


def _refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_dataset(folder)
    return str(caught.value)


def _stereo(path: Path) -> None:
    write_wave(path, audio(), channels=2)


def _wide(path: Path) -> None:
    write_wave(path, audio(), width=3)


def _narrow(path: Path) -> None:
    write_wave(path, audio(), width=1)


def _surround(path: Path) -> None:
    write_wave(path, audio(0, 1002), channels=6)


def _without_samples(path: Path) -> None:
    write_wave(path, audio(0, 1)[:0])


def _empty(path: Path) -> None:
    path.touch()


def _cut(path: Path) -> None:
    write_wave(path, audio(0, 1000))
    path.write_bytes(path.read_bytes()[:-501])


def _cut_in_header(path: Path) -> None:
    write_wave(path, audio())
    path.write_bytes(path.read_bytes()[:30])


def _mp3(path: Path) -> None:
    path.write_bytes(b"ID3\x04" + bytes(2000))


def _other_riff(path: Path) -> None:
    path.write_bytes(b"RIFF" + struct.pack("<I", 100) + b"AVI " + bytes(96))


def _format(tag: int, path: Path) -> None:
    write_wave(path, audio())
    data = bytearray(path.read_bytes())
    data[20:22] = struct.pack("<H", tag)
    path.write_bytes(data)


def _float(path: Path) -> None:
    _format(3, path)


def _mu_law(path: Path) -> None:
    _format(7, path)


def _unheard_of(path: Path) -> None:
    _format(4711, path)


def _extensible(path: Path, *, tag: int = 1, bits: int = 16, channels: int = 1, samples: int = 900) -> None:
    """As sox and ffmpeg write what is more than 16 bits or two channels; a LIST stands before the sound."""
    width = bits // 8
    told = struct.pack("<HHIIHHHHIH", 0xFFFE, channels, 8000, 8000 * width * channels, width * channels, bits,
                       22, bits, 4, tag)  # fmt: skip
    told += bytes.fromhex("000000001000800000aa00389b71")
    sound = audio(3, samples).astype("<i2").tobytes() if width == 2 else bytes(samples * width * channels)
    chunks = [(b"fmt ", told), (b"LIST", b"odd"), (b"data", sound)]
    body = b"".join(k + struct.pack("<I", len(v)) + v + bytes(len(v) % 2) for k, v in chunks)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body)


def _wide_surround(path: Path) -> None:
    _extensible(path, bits=24, channels=6)


def _extensible_float(path: Path) -> None:
    _extensible(path, tag=3, bits=32)


def _piped(path: Path) -> None:
    write_wave(path, audio(0, 1000))
    data = path.read_bytes()
    path.write_bytes(data[:40] + b"\xff\xff\xff\xff" + data[44:])


def _damaged_chunk(path: Path) -> None:
    """One before the sound that says it is larger than the file."""
    write_wave(path, audio())
    data = path.read_bytes()
    path.write_bytes(data[:36] + b"LIST\xff\xff\xff\x7f" + data[36:])


def _without_format(path: Path) -> None:
    path.write_bytes(b"RIFF" + struct.pack("<I", 16) + b"WAVEdata" + struct.pack("<I", 4) + b"abcd")


def _no_rate(path: Path) -> None:
    write_wave(path, audio())
    data = bytearray(path.read_bytes())
    data[24:28] = struct.pack("<I", 3)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "found", "mend"),
    [
        (_stereo, "stereo, 2 channels; the DUT has one microphone", "sox 3_ann_0.wav -c 1 mended.wav"),
        (_surround, "6 channels", "sox 3_ann_0.wav -c 1 mended.wav"),
        (_wide, "24-bit samples; the DUT hears 16-bit ones", "sox 3_ann_0.wav -b 16 mended.wav"),
        (_narrow, "8-bit samples", "sox 3_ann_0.wav -b 16 mended.wav && mv mended.wav 3_ann_0.wav"),
        (_float, "floating point samples", "sox 3_ann_0.wav -b 16 -e signed-integer mended.wav"),
        (_mu_law, "mu-law samples", "sox 3_ann_0.wav -b 16 -e signed-integer mended.wav"),
        (_unheard_of, "format 4711 samples", "sox 3_ann_0.wav -b 16 -e signed-integer mended.wav"),
        (_without_samples, "it holds no sound: 0 samples", "rm 3_ann_0.wav"),
        (_empty, "the file is empty, 0 bytes", "rm 3_ann_0.wav"),
        (_cut, "cut short: its header says 1000 samples, 749 are there", "sox --ignore-length 3_ann_0.wav"),
        (_cut_in_header, "not a wave file", "ffmpeg -i 3_ann_0.wav"),
        (_mp3, "not a wave file (it does not start with RIFF)", "ffmpeg -i 3_ann_0.wav -ac 1"),
        (_other_riff, "not a wave file", "ffmpeg -i 3_ann_0.wav"),
        (_wide_surround, "6 channels; the DUT has one microphone, and 24-bit samples",
         "sox 3_ann_0.wav -c 1 -b 16 mended.wav"),
        (_extensible_float, "floating point samples; the DUT hears 16-bit PCM", "-b 16 -e signed-integer"),
        (_piped, "its header does not say how long it is; 1000 samples are there", "sox --ignore-length"),
        (_damaged_chunk, "not a wave file (it ends before its sound begins)", "ffmpeg -i 3_ann_0.wav"),
        (_without_format, "not a wave file (nothing before its sound says", "ffmpeg -i 3_ann_0.wav"),
        (_no_rate, "a sample rate of 3 Hz", "its header is damaged"),
    ],
)  # fmt: skip
def test_a_recording_that_can_not_be_played_is_refused(
    tmp_path: Path, spoil: object, found: str, mend: str
) -> None:
    assert callable(spoil)
    spoil(tmp_path / "3_ann_0.wav")
    said = _refusal(tmp_path)
    assert "1 of the 1 recordings" in said
    assert f"  3_ann_0.wav: {found}" in said
    assert mend in said


@pytest.mark.parametrize("name", ["seven", "7_george", "7_george_x", "_george_1", "7_george_-1"])
def test_a_name_that_does_not_say_what_is_in_it_is_refused(tmp_path: Path, name: str) -> None:
    write_dataset(tmp_path, [(name, 0)])
    said = _refusal(tmp_path)
    assert f"{name}.wav: its name does not say what is in it" in said
    assert "{label}_{speaker}_{index}.wav" in said


def test_sixteen_bits_told_in_the_extensible_way_are_heard(tmp_path: Path) -> None:
    _extensible(tmp_path / "3_ann_0.wav")
    (one,) = load_dataset(tmp_path).recordings
    assert np.array_equal(one.samples(), audio(3, 900))


@given(st.binary(max_size=80), st.integers(0, 60))
def test_whatever_bytes_a_file_holds_it_is_heard_or_refused(noise: bytes, at: int) -> None:
    with io.BytesIO() as file:
        with wave.open(file, "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(bytes(64))
        whole = file.getvalue()
    for data in (noise, whole[:12] + noise, whole[:at] + noise + whole[at + len(noise) :]):
        try:
            told = "." * len(read_wave(data, "3_ann_0.wav").samples)
        except Unusable as refused:
            told = refused.found if "3_ann_0.wav" in refused.mend else ""
        assert told


def test_names_are_quoted_for_the_shell(tmp_path: Path) -> None:
    _stereo(tmp_path / "-b_it's_1.wav")
    (tmp_path / "no name.wav").touch()
    said = _refusal(tmp_path)
    assert "mend: sox './-b_it'\"'\"'s_1.wav' -c 1 mended.wav" in said
    assert "mv 'no name.wav' LABEL" in said


def test_all_problems_of_a_folder_are_told_at_once(tmp_path: Path) -> None:
    write_dataset(tmp_path, [("1_ann_0", 1), ("nothing", 0)])
    _stereo(tmp_path / "2_ann_0.wav")
    _empty(tmp_path / "3_ann_0.wav")
    said = _refusal(tmp_path)
    assert said.startswith("3 of the 4 recordings")
    for name in ("nothing.wav: ", "2_ann_0.wav: ", "3_ann_0.wav: "):
        assert name in said


@pytest.mark.parametrize("spoil", [_stereo, _wide, _narrow, _cut, _piped, _wide_surround, _extensible_float])
def test_the_command_that_mends_a_recording_does(tmp_path: Path, spoil: object) -> None:
    binary("sox", "sox")
    assert callable(spoil)
    spoil(tmp_path / "3_ann_0.wav")
    (line,) = [line for line in _refusal(tmp_path).splitlines() if "mend: " in line]
    subprocess.run(line[line.index("sox") :], shell=True, cwd=tmp_path, check=True, capture_output=True)
    assert len(load_dataset(tmp_path).recordings) == 1


def test_a_folder_that_is_none_and_a_folder_without_recordings(tmp_path: Path) -> None:
    assert "there is no such folder" in _refusal(tmp_path / "absent")
    assert "there is no .wav file in it" in _refusal(tmp_path)
    write_dataset(tmp_path / "recordings", [("1_ann_0", 1)])
    assert f"give the folder {tmp_path / 'recordings'}" in _refusal(tmp_path)


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    write_dataset(tmp_path, [("1_ann_0", 1)])
    (tmp_path / "README.md").write_text("about")
    (tmp_path / "._1_ann_0.wav").write_bytes(b"of a Mac")
    (tmp_path / "2_ann_0.WAV").write_bytes((tmp_path / "1_ann_0.wav").read_bytes())
    assert [one.label for one in load_dataset(tmp_path).recordings] == ["1", "2"]


def test_names_say_label_speaker_and_index_also_where_labels_hold_underscores(tmp_path: Path) -> None:
    write_dataset(tmp_path, [("7_george_5", 7), ("very_loud_noise_ann_12", 0)])
    found = {(one.label, one.speaker, one.index) for one in load_dataset(tmp_path).recordings}
    assert found == {("7", "george", 5), ("very_loud_noise", "ann", 12)}


def test_the_first_recordings_are_of_every_label_and_many_speakers(tmp_path: Path) -> None:
    names = [(f"{digit}_{who}_{k}", digit) for digit in range(10) for who in "abcdef" for k in range(2)]
    dataset = load_dataset(write_dataset(tmp_path, names))
    assert len(dataset.recordings) == 120
    first = dataset.first(60).recordings
    assert {one.index for one in first} == {0}
    assert sorted(one.label for one in first[:10]) == [str(digit) for digit in range(10)]
    assert set(Counter(one.speaker for one in first[:12])) == set("abcdef")
    assert dataset.first(500) == dataset
    with pytest.raises(InputError, match="ask for one at least"):
        dataset.first(0)


def test_the_hash_is_that_of_names_and_contents_whatever_part_is_played(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "a", [("1_ann_0", 1), ("2_ann_0", 2)])
    dataset = load_dataset(folder)
    assert dataset.first(1).sha256 == dataset.sha256
    twin = load_dataset(write_dataset(tmp_path / "b", [("2_ann_0", 2), ("1_ann_0", 1)]))
    assert twin.sha256 == dataset.sha256
    (folder / "1_ann_0.wav").rename(folder / "1_bob_0.wav")
    renamed = load_dataset(folder).sha256
    write_wave(folder / "2_ann_0.wav", audio(3))
    assert len({dataset.sha256, renamed, load_dataset(folder).sha256}) == 3


def test_labels_that_the_network_does_not_know_are_refused_with_both_lists_and_the_files(
    tmp_path: Path,
) -> None:
    dataset = load_dataset(write_dataset(tmp_path, [("1_ann_0", 1), ("yes_ann_0", 0), ("yes_bob_1", 0)]))
    dataset.first(1).require_labels(LABELS)
    with pytest.raises(InputError) as caught:
        dataset.require_labels(LABELS)
    said = str(caught.value)
    assert "does not know 1 of the 2 labels" in said
    assert f"the DUT's labels:     {', '.join(LABELS)}" in said
    assert "the dataset's labels: 1, yes" in said
    assert "yes: yes_ann_0.wav, yes_bob_1.wav" in said


def test_a_recording_at_8_khz_is_played_sample_by_sample(tmp_path: Path) -> None:
    write_dataset(tmp_path, [("7_ann_0", 7)])
    (one,) = load_dataset(tmp_path).recordings
    assert np.array_equal(one.samples(), audio(7))
    assert (one.seconds, one.resampled, load_dataset(tmp_path).rates_hz) == (1000 / 8000, False, {})


@pytest.mark.parametrize("rate", [4000, 11025, 16000, 44100, 48000])
def test_any_other_rate_is_resampled(tmp_path: Path, rate: int) -> None:
    """A tone stays the tone that it is, and what lies above 4 kHz does not fold into it."""
    seconds, pitch = np.arange(rate) / rate, 440
    wave = 10_000 * np.sin(2 * np.pi * pitch * seconds)
    if rate > 16000:
        wave += 10_000 * np.sin(2 * np.pi * 7000 * seconds)
    write_wave(tmp_path / "7_ann_0.wav", np.rint(wave).astype(np.int16), rate=rate)
    dataset = load_dataset(tmp_path)
    (one,) = dataset.recordings
    assert (one.seconds, one.resampled, dataset.rates_hz) == (1.0, True, {rate: 1})
    heard = one.samples()
    assert heard.dtype == np.int16
    assert abs(len(heard) - 8000) <= 1
    wanted = 10_000 * np.sin(2 * np.pi * pitch * np.arange(len(heard)) / 8000)
    middle = slice(400, -400)
    assert np.abs(heard - wanted)[middle].max() < 20
    assert np.array_equal(heard, one.samples())


def test_a_loud_recording_is_clipped_and_not_wrapped(tmp_path: Path) -> None:
    square = np.where(np.arange(16000) // 40 % 2, 32767, -32768).astype(np.int16)
    write_wave(tmp_path / "7_ann_0.wav", square, rate=16000)
    (one,) = load_dataset(tmp_path).recordings
    heard = one.samples().astype(float)
    assert (heard.max(), heard.min()) == (32767, -32768)
    assert (heard[8:12] < 0).all()


def test_a_rate_that_needs_the_resampler_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wave(tmp_path / "7_ann_0.wav", audio(), rate=16000)
    monkeypatch.setitem(sys.modules, "soxr", None)
    said = _refusal(tmp_path)
    assert "16000 Hz" in said
    assert "pip install 'pytest-lan-hil[audio]'" in said


def test_a_recording_that_changes_while_others_are_played_is_refused(tmp_path: Path) -> None:
    write_dataset(tmp_path, [("7_ann_0", 7)])
    (one,) = load_dataset(tmp_path).recordings
    (tmp_path / "7_ann_0.wav").write_bytes(b"")
    with pytest.raises(InputError, match="0 bytes, which it was not before"):
        one.samples()
