"""The network's parameters as a file, weights.npz: what train.py writes and everything else reads."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from liquid.config import CONFIG
from liquid.fmath import Floats

WEIGHTS_FILE = Path(__file__).resolve().parents[1] / "weights.npz"
MODEL_NAME = "lan-cfc32-digits"
TIME_UNIT_S = 0.032
DRIFT_BINS = 10
Weights = dict[str, Floats]

MELS, INPUTS, HIDDEN, BACKBONE, CLASSES = (
    CONFIG[k] for k in ("MELS", "INPUTS", "HIDDEN", "BACKBONE", "CLASSES")
)
SHAPES: dict[str, tuple[int, ...]] = {
    "backbone_weight": (BACKBONE, INPUTS + HIDDEN),
    "backbone_bias": (BACKBONE,),
    "head_weight": (3 * HIDDEN, BACKBONE),
    "head_bias": (3 * HIDDEN,),
    "readout_weight": (CLASSES, HIDDEN),
    "readout_bias": (CLASSES,),
    "norm_mean": (MELS,),
    "norm_scale": (MELS,),
    "drift_edges": (DRIFT_BINS - 1,),
    "drift_share": (DRIFT_BINS,),
}
MATRICES = tuple(name for name, shape in SHAPES.items() if len(shape) == 2)


def load_weights(path: Path = WEIGHTS_FILE) -> Weights:
    """Parameters by name, float32. Raises ValueError if they do not fit config.h."""
    with np.load(path) as file:
        weights = {name: file[name] for name in file.files}
    found = {name: array.shape for name, array in weights.items()}
    if found != SHAPES:
        raise ValueError(f"{path}: shapes {found}, but common/config.h wants {SHAPES}; run train.py")
    return weights


def save_weights(weights: dict[str, npt.NDArray[np.float32]], path: Path = WEIGHTS_FILE) -> None:
    """Write them in the order of SHAPES; the same numbers give the same bytes (no time stamps)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in SHAPES:
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
                np.lib.format.write_array(member, np.ascontiguousarray(weights[name], np.float32))
