"""Write the front end's tables and the network's weights as C.

    python firmware/model/generate.py            writes firmware/common/{frontend_tables,model}.{c,h}

The sizes come from common/config.h. The weights are Glorot-uniform from a fixed seed: a real network with a
real cost, which has learned nothing yet. Needs numpy only.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

COMMON = Path(__file__).resolve().parent.parent / "common"
SEED = 20260701
MODEL_NAME = "lan-cfc32-random"
MEL_LOW_HZ, MEL_HIGH_HZ = 60.0, 3800.0
TIME_UNIT_S = 0.032
FloatArray = npt.NDArray[np.float64]


def read_config(path: Path = COMMON / "config.h") -> dict[str, int]:
    """Integer #defines of config.h by name, without the LAN_ prefix."""
    pairs = re.findall(r"^#define LAN_(\w+) (\d+)u?\b", path.read_text(), re.MULTILINE)
    return {name: int(value) for name, value in pairs}


def hz_to_mel(hz: FloatArray | float) -> FloatArray:
    """The mel scale of O'Shaughnessy (1987): 2595 log10(1 + f / 700)."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0))


def mel_filters(bands: int, frame: int, rate: int) -> FloatArray:
    """Triangular filters, [bands, frame / 2 + 1], linear in mel, peak 1 between the neighbours' centres."""
    edges = np.linspace(hz_to_mel(MEL_LOW_HZ), hz_to_mel(MEL_HIGH_HZ), bands + 2)
    mel = hz_to_mel(np.arange(frame // 2 + 1) * rate / frame)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.asarray(
        np.maximum(0.0, np.minimum((mel - low) / (centre - low), (high - mel) / (high - centre)))
    )


def glorot(generator: np.random.Generator, outputs: int, inputs: int) -> FloatArray:
    """Uniform weights [outputs, inputs] of Glorot and Bengio (2010)."""
    limit = np.sqrt(6.0 / (outputs + inputs))
    return generator.uniform(-limit, limit, (outputs, inputs))


def make_weights(config: dict[str, int]) -> dict[str, FloatArray]:
    """All parameters of the network by their C name, matrices as [outputs, inputs]."""
    rng = np.random.default_rng(SEED)
    mels, hidden, backbone, classes = (config[k] for k in ("MELS", "HIDDEN", "BACKBONE", "CLASSES"))
    return {
        "backbone_weight": glorot(rng, backbone, mels + hidden),
        "backbone_bias": np.zeros(backbone),
        "head_weight": np.concatenate([glorot(rng, hidden, backbone) for _ in range(3)]),
        "head_bias": np.concatenate([np.full(hidden, -1.0), np.zeros(2 * hidden)]),
        "readout_weight": glorot(rng, classes, hidden) * 3.0,
        "readout_bias": np.zeros(classes),
        # log2 energies of the front end lie between -20 (silence) and 13 (full scale)
        "norm_mean": np.full(mels, -6.0),
        "norm_scale": np.full(mels, 0.2),
    }


def blocked(matrix: FloatArray) -> FloatArray:
    """[outputs, inputs] -> flat [outputs / 4][inputs][4], the order in which cfc.c reads."""
    outputs, inputs = matrix.shape
    return matrix.reshape(outputs // 4, 4, inputs).transpose(0, 2, 1).reshape(-1)


def c_floats(name: str, values: FloatArray) -> str:
    """A C definition; nine digits carry a float exactly."""
    numbers = [
        np.format_float_scientific(np.float32(v), precision=8, unique=True, trim="0") + "f"
        for v in values.ravel()
    ]
    rows = [", ".join(numbers[i : i + 8]) for i in range(0, len(numbers), 8)]
    return f"const float {name}[{len(numbers)}] = {{\n    " + ",\n    ".join(rows) + ",\n};\n"


def c_bytes(name: str, values: npt.NDArray[np.int64]) -> str:
    """A C definition of an unsigned char table."""
    return f"const unsigned char {name}[{len(values)}] = {{\n    " + ", ".join(map(str, values)) + ",\n};\n"


def frontend(config: dict[str, int]) -> tuple[str, str]:
    """frontend_tables.h and frontend_tables.c."""
    frame, bands, rate = config["FRAME"], config["MELS"], config["SAMPLE_RATE"]
    n = np.arange(frame // 2 + 1)
    window = (0.5 - 0.5 * np.cos(2.0 * np.pi * n / frame)) / 32768.0
    angle = -2.0 * np.pi * np.arange(3 * frame // 4) / frame
    twiddle = np.stack([np.cos(angle), np.sin(angle)], axis=1).reshape(-1)
    filters = mel_filters(bands, frame, rate)
    first = np.array([np.flatnonzero(row)[0] for row in filters])
    count = np.array([np.count_nonzero(row) for row in filters])
    weight = np.concatenate([row[f : f + c] for row, f, c in zip(filters, first, count, strict=True)])
    head = "/* Written by model/generate.py: do not edit. "
    header = (
        head + "Tables of the audio front end. */\n"
        "#ifndef LAN_FRONTEND_TABLES_H\n#define LAN_FRONTEND_TABLES_H\n\n"
        '#include "config.h"\n\n'
        f"_Static_assert(LAN_FRAME == {frame}u && LAN_MELS == {bands}u && LAN_SAMPLE_RATE == {rate}u, "
        '"run model/generate.py");\n\n'
        "/* first half of a periodic Hann window, centre included, times 1/32768 */\n"
        f"extern const float lan_window[{len(window)}];\n"
        "/* cos, sin of -2 pi k / LAN_FRAME for three quarters of a turn */\n"
        f"extern const float lan_twiddle[{len(twiddle)}];\n"
        "/* band b sums lan_mel_count[b] bins from lan_mel_first[b]; weights of all bands in a row */\n"
        f"extern const unsigned char lan_mel_first[{bands}];\n"
        f"extern const unsigned char lan_mel_count[{bands}];\n"
        f"extern const float lan_mel_weight[{len(weight)}];\n\n#endif\n"
    )
    source = (
        head
        + f'{MEL_LOW_HZ:g} to {MEL_HIGH_HZ:g} Hz. */\n#include "frontend_tables.h"\n\n'
        + "\n".join(
            (
                c_floats("lan_window", window),
                c_floats("lan_twiddle", twiddle),
                c_bytes("lan_mel_first", first),
                c_bytes("lan_mel_count", count),
                c_floats("lan_mel_weight", weight),
            )
        )
    )
    return header, source


def model(config: dict[str, int]) -> tuple[str, str]:
    """model.h and model.c."""
    weights = make_weights(config)
    shape = [config[k] for k in ("MELS", "HIDDEN", "BACKBONE", "CLASSES")]
    head = f"/* Written by model/generate.py, seed {SEED}: do not edit. "
    declared = "".join(f"extern const float lan_{name}[{array.size}];\n" for name, array in weights.items())
    header = (
        head + "Parameters of the network. */\n#ifndef LAN_MODEL_H\n#define LAN_MODEL_H\n\n"
        '#include "config.h"\n\n'
        f"_Static_assert(LAN_MELS == {shape[0]}u && LAN_HIDDEN == {shape[1]}u && "
        f"LAN_BACKBONE == {shape[2]}u && "
        f'LAN_CLASSES == {shape[3]}u,\n               "run model/generate.py");\n\n'
        f'#define LAN_MODEL_NAME "{MODEL_NAME}"\n'
        "/* seconds that the time gate counts as 1 */\n"
        f"#define LAN_TIME_UNIT_S {TIME_UNIT_S}f\n\n"
        "/* weights in blocks of four outputs, [block][input][4]; heads in the order f, g, h */\n"
        + declared
        + "\n#endif\n"
    )
    source = (
        head
        + 'Glorot uniform, untrained. */\n#include "model.h"\n\n'
        + "\n".join(
            c_floats(f"lan_{name}", blocked(array) if array.ndim == 2 else array)
            for name, array in weights.items()
        )
    )
    return header, source


def main() -> None:
    """Write the four files."""
    config = read_config()
    for stem, (header, source) in (("frontend_tables", frontend(config)), ("model", model(config))):
        (COMMON / f"{stem}.h").write_text(header)
        (COMMON / f"{stem}.c").write_text(source)


if __name__ == "__main__":
    main()
