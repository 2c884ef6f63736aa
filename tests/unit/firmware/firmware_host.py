"""The firmware's portable part, compiled with the host's compiler and loaded through ctypes."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import subprocess
from pathlib import Path
from types import ModuleType

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


def build(folder: Path) -> Path:
    """Compile common/ with the test's port into a shared library."""
    compiler = binary("gcc", "gcc")
    library = folder / "libfirmware.so"
    sources = sorted(path for path in (FIRMWARE / "common").glob("*.c") if path.name != "app.c")
    command = [
        compiler, *FLAGS, *EXACT_ON_X86, "-shared", "-fPIC", "-Wl,--wrap=lan_pipeline_frame",
        # -iquote: the C library has a features.h, too
        "-iquote", str(FIRMWARE / "common"), "-iquote", str(HOST),
        "-o", str(library), str(HOST / "host_port.c"), *map(str, sources),
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=120)
    return library


def generator() -> ModuleType:
    """firmware/model/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("firmware_generate", FIRMWARE / "model" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    given = np.ascontiguousarray(pcm, np.int16)
    out = np.empty(bands, np.float32)
    library.lan_features(_pointer(given), _pointer(out))
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

    def frame_takes(self, ticks: int) -> None:
        """How long one inference takes, in ticks of 1/32768 s."""
        self._busy.value = ticks

    def elapsed_s(self, count: int) -> list[float]:
        """What the first frames since the last command were told about the time since the frame before."""
        return list(self._elapsed[:count])
