"""The firmware's portable part, compiled with the host's compiler and loaded through ctypes."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
from pathlib import Path

import numpy as np
from required import binary

FIRMWARE = Path(__file__).resolve().parents[3] / "firmware"
HOST = Path(__file__).resolve().parent / "host"
# As in firmware/Makefile where it concerns the numbers: no fused multiply-add, no relaxed arithmetic.
FLAGS = [
    "-std=c11",
    "-O2",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-Wall",
    "-Werror",
    "-Wno-unused-parameter",
]
EXACT_ON_X86 = ["-msse2", "-mfpmath=sse"] if platform.machine() in ("x86_64", "i686") else []


# Sanitizers or coverage, from `make -C firmware host-tests` and `coverage`.
EXTRA_FLAGS = os.environ.get("LAN_HOST_CFLAGS", "").split()


def build(folder: Path) -> Path:
    """Compile common/ with the test's port into a shared library."""
    sources = sorted((FIRMWARE / "common").glob("*.c"))
    return _shared(
        folder / "libfirmware.so",
        "-Dmain=lan_app",  # app.c's, called by host_port.c
        "-Wl,--wrap=lan_pipeline_take",
        "-Wl,--wrap=lan_pipeline_infer",
        str(HOST / "host_port.c"),
        *map(str, sources),
    )


def build_metrics(folder: Path) -> Path:
    """Compile the metrics library alone, as somebody who copies its two files does."""
    return _shared(folder / "libmetrics.so", str(FIRMWARE / "common" / "liquid_audio_metrics.c"))


def _shared(library: Path, *arguments: str) -> Path:
    # -iquote: the C library has a features.h, too
    headers = ["-iquote", str(FIRMWARE / "common"), "-iquote", str(HOST)]
    _compile("-shared", "-fPIC", *headers, "-o", str(library), *arguments)
    return library


def _compile(*arguments: str) -> None:
    command = [binary("gcc", "gcc"), *FLAGS, *EXACT_ON_X86, *EXTRA_FLAGS, *arguments]
    subprocess.run(command, check=True, timeout=120)


def output_of_c(folder: Path, source: str, *others: Path) -> str:
    """What a C program prints that is compiled with the host's compiler and `others`."""
    main, program = folder / "main.c", folder / "main"
    main.write_text(source)
    _compile("-iquote", str(FIRMWARE / "common"), str(main), *map(str, others), "-o", str(program))
    return subprocess.run([str(program)], check=True, timeout=60, capture_output=True, text=True).stdout


def floats(library: ctypes.CDLL, function: str, values: np.ndarray) -> np.ndarray:
    """A one-argument function of fmath.h over an array of float32."""
    given = np.ascontiguousarray(values, np.float32)
    out = np.empty_like(given)
    getattr(library, f"host_{function}")(_pointer(given), _pointer(out), ctypes.c_size_t(given.size))
    return out


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def power_spectrum(library: ctypes.CDLL, samples: np.ndarray) -> np.ndarray:
    """lan_power_spectrum of one frame: shape (frame / 2 + 1,), float32."""
    work = np.array(samples, np.float32)
    power = np.empty(work.size + 2, np.float32)
    library.lan_power_spectrum(_pointer(work), _pointer(power))
    return power[: work.size // 2 + 1]


def features(library: ctypes.CDLL, pcm: np.ndarray, bands: int) -> np.ndarray:
    """lan_features of one frame: shape (bands,), float32."""
    halves = np.ascontiguousarray(pcm, np.int16).reshape(2, -1)
    out = np.empty(bands, np.float32)
    library.lan_features(_pointer(halves[0]), _pointer(halves[1]), _pointer(out))
    return out


def cfc_step(
    library: ctypes.CDLL, hidden: np.ndarray, inputs: np.ndarray, elapsed_s: float, classes: int
) -> np.ndarray:
    """lan_cfc_step: changes `hidden` in place, returns the logits; both float32."""
    given = np.ascontiguousarray(inputs, np.float32)
    logits = np.empty(classes, np.float32)
    library.lan_cfc_step(_pointer(hidden), _pointer(given), ctypes.c_float(elapsed_s), _pointer(logits))
    return logits


def softmax(library: ctypes.CDLL, logits: np.ndarray) -> np.ndarray:
    """lan_softmax, float32."""
    given = np.ascontiguousarray(logits, np.float32)
    out = np.empty_like(given)
    library.lan_softmax(_pointer(given), _pointer(out))
    return out


class HostConsole:
    """The console of the firmware on the host."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._output = (ctypes.c_char * (1 << 20)).in_dll(library, "host_output")
        self._trace = (ctypes.c_char * (1 << 20)).in_dll(library, "host_trace")
        self._busy = ctypes.c_uint64.in_dll(library, "host_busy_ticks")
        self._elapsed = (ctypes.c_float * 4096).in_dll(library, "host_elapsed_s")

    def start(self) -> list[str]:
        """Start the console; the lines of its greeting."""
        self._library.host_forget()
        self._library.lan_console_start()
        return self.lines

    def send(self, text: str) -> list[str]:
        """Send bytes as they are; the lines printed since, line ends taken off."""
        self._library.host_forget()
        self._library.host_send(text.encode("latin-1"))
        return self.lines

    def lose_bytes(self) -> None:
        """The port reports a loss before the next byte."""
        self._library.lan_console_lost()

    def ask(self, command: str) -> list[str]:
        """Send one command; the lines of its answer, which must end with m-ready (left out)."""
        lines = self.send(f"{command}%")
        assert lines[-1] == "m-ready"
        return lines[:-1]

    @property
    def lines(self) -> list[str]:
        """Lines printed since the last command; each must end with CR LF."""
        text = self._output.value.decode("ascii")
        assert text.endswith("\r\n") or not text
        return text.split("\r\n")[:-1]

    @property
    def trace(self) -> str:
        """What happened since the last command; see host/host_port.c."""
        return self._trace.value.decode("ascii")

    def receives(self, raw: bytes) -> None:
        """Raw bytes that arrive as soon as the firmware waits for them."""
        buffer = (ctypes.c_uint8 * (1 << 16)).in_dll(self._library, "host_raw")
        buffer[: len(raw)] = list(raw)
        ctypes.c_size_t.in_dll(self._library, "host_raw_size").value = len(raw)

    def loses(self, count: int) -> None:
        """The port reports this many lost bytes when it is asked next."""
        ctypes.c_uint32.in_dll(self._library, "host_rx_lost").value = count

    def run_app(self, typed: str) -> list[str]:
        """Run app.c from its start until it has used up what is typed; the lines printed."""
        self._library.host_forget()
        self._library.host_app(typed.encode("latin-1"))
        return self.lines

    def warm_to(self, millidegrees: int) -> None:
        """The chip has a thermometer from now on, and it shows this."""
        ctypes.c_int.in_dll(self._library, "host_has_thermometer").value = 1
        ctypes.c_int32.in_dll(self._library, "host_temperature").value = millidegrees

    def fills(self, *, memory: tuple[int, int] = (0, 0), flash: tuple[int, int] = (0, 0)) -> None:
        """Bytes used and available, and bytes used of how many, as the port knows them from now on."""
        names = ("memory_used", "memory_available", "flash_used", "flash_size")
        for name, value in zip(names, (*memory, *flash), strict=True):
            ctypes.c_uint32.in_dll(self._library, f"host_{name}").value = value

    def keeps_fault(self, text: str) -> None:
        """What the port has kept of the last fault."""
        (ctypes.c_char * 256).in_dll(self._library, "host_last_fault").value = text.encode("ascii")

    def run_to(self, ticks: int) -> None:
        """The device has been on for so many ticks of 1/32768 s."""
        ctypes.c_uint64.in_dll(self._library, "host_now").value = ticks

    def shut_gate(self) -> None:
        """From now on the network is left asleep in every frame."""
        ctypes.c_int.in_dll(self._library, "host_shut").value = 1

    def heard(self, frames: int, size: int) -> np.ndarray:
        """Audio of the first frames since the last command: shape (frames, size), int16."""
        samples = (ctypes.c_int16 * (frames * size)).in_dll(self._library, "host_heard")
        return np.array(samples, np.int16).reshape(frames, size)

    def frame_takes(self, ticks: int) -> None:
        """How long one inference takes, in ticks of 1/32768 s."""
        self._busy.value = ticks

    def elapsed_s(self, count: int) -> list[float]:
        """What the first frames since the last command were told about the time since the frame before."""
        return list(self._elapsed[:count])
