"""C definitions of the tables and weights, as texts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from liquid import frontend
from liquid.config import FRAME, LABELS, RATE, SILENCE
from liquid.weights import (
    BACKBONE,
    CLASSES,
    DRIFT_BINS,
    HIDDEN,
    INPUTS,
    MATRICES,
    MODEL_NAME,
    SHAPES,
    TIME_UNIT_S,
    Weights,
)

WRITTEN = "/* Written by model/generate.py: do not edit. "


def blocked(matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """[outputs, inputs] -> flat [outputs / 4][inputs][4], the order in which lan_dense() reads."""
    outputs, inputs = matrix.shape
    return matrix.reshape(outputs // 4, 4, inputs).transpose(0, 2, 1).reshape(-1)


def c_floats(name: str, values: npt.NDArray[np.floating]) -> str:
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


def frontend_tables() -> tuple[str, str]:
    """frontend_tables.h and frontend_tables.c."""
    window, twiddle = frontend.half_window(), frontend.twiddles().reshape(-1)
    bands, weight = frontend.MELS, np.concatenate(frontend.WEIGHT)
    header = (
        WRITTEN + "Tables of the audio front end. */\n"
        "#ifndef LAN_FRONTEND_TABLES_H\n#define LAN_FRONTEND_TABLES_H\n\n"
        '#include "config.h"\n\n'
        f"_Static_assert(LAN_FRAME == {FRAME}u && LAN_MELS == {bands}u && LAN_SAMPLE_RATE == {RATE}u, "
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
    definitions = (
        c_floats("lan_window", window),
        c_floats("lan_twiddle", twiddle),
        c_bytes("lan_mel_first", frontend.FIRST),
        c_bytes("lan_mel_count", frontend.COUNT),
        c_floats("lan_mel_weight", weight),
    )
    band = f"{frontend.MEL_LOW_HZ:g} to {frontend.MEL_HIGH_HZ:g} Hz"
    source = WRITTEN + f'{band}. */\n#include "frontend_tables.h"\n\n' + "\n".join(definitions)
    return header, source


def model(weights: Weights) -> tuple[str, str]:
    """model.h and model.c."""
    sizes = {"INPUTS": INPUTS, "HIDDEN": HIDDEN, "BACKBONE": BACKBONE, "CLASSES": CLASSES}
    fits = " && ".join(f"LAN_{name} == {size}u" for name, size in sizes.items())
    declared = "".join(f"extern const float lan_{name}[{weights[name].size}];\n" for name in SHAPES)
    header = (
        WRITTEN + "Parameters of the network. */\n#ifndef LAN_MODEL_H\n#define LAN_MODEL_H\n\n"
        '#include "config.h"\n\n'
        f'_Static_assert({fits},\n               "run model/generate.py");\n\n'
        f'#define LAN_MODEL_NAME "{MODEL_NAME}"\n'
        "/* seconds that the time gate counts as 1 */\n"
        f"#define LAN_TIME_UNIT_S {TIME_UNIT_S}f\n"
        "/* the class of what never opened the gate */\n"
        f"#define LAN_SILENCE {SILENCE}u\n"
        "/* Training histogram of one number per frame that ran, the mean of the first LAN_MELS values of\n"
        " * lan_pipeline_features(): share k is that below edge k and not below the edge before, the last\n"
        " * share the rest. */\n"
        f"#define LAN_DRIFT_BINS {DRIFT_BINS}u\n\n"
        "/* weights in blocks of four outputs, [block][input][4]; heads in the order f, g, h */\n"
        + declared
        + "\nextern const char *const lan_labels[LAN_CLASSES];\n\n#endif\n"
    )
    definitions = [
        c_floats(f"lan_{name}", blocked(weights[name]) if name in MATRICES else weights[name])
        for name in SHAPES
    ]
    labels = ", ".join(f'"{label}"' for label in LABELS)
    source = (
        WRITTEN
        + 'Trained by model/train.py. */\n#include "model.h"\n\n'
        + "\n".join(definitions)
        + f"\nconst char *const lan_labels[LAN_CLASSES] = {{{labels}}};\n"
    )
    return header, source
