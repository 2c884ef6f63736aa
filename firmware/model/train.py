"""Train the network and write weights.npz.

    python firmware/model/train.py --data DIR [--data DIR ...] [--seed N] [--without SPEAKER] [--out FILE]

Each DIR holds wave files {label}_{speaker}_{index}.wav: the free spoken digit dataset's recordings, and what
`synthesize.py training` made. Validation recordings (see liquid/dataset.py) are left out, whatever the folder
holds. Needs the extra `train` (pip install -e '.[train]'). The same seed on the same machine gives the same
bytes. Afterwards: generate.py writes the C, evaluate.py the model card. Without --out the committed weights
are overwritten. To see in a minute that all works: --data datasets/spoken-digits --epochs 1 --out FILE.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from liquid.dataset import is_trainable, read_folder
from liquid.recipe import Recipe
from liquid.training import train
from liquid.weights import WEIGHTS_FILE, Weights, save_weights


def main() -> None:
    """Parse, read, train, write."""
    parser = argparse.ArgumentParser(description="Train the liquid network.")
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=Recipe().epochs)
    parser.add_argument("--without", default="", metavar="SPEAKER", help="leave this speaker out altogether")
    parser.add_argument("--out", type=Path, default=WEIGHTS_FILE)
    arguments = parser.parse_args()
    recordings = [
        recording
        for folder in arguments.data
        for recording in read_folder(folder)
        if is_trainable(recording) and recording.speaker != arguments.without
    ]
    print(f"{len(recordings)} recordings, {sum(r.is_real for r in recordings)} of them spoken by people")
    began = time.monotonic()

    def report(number: int, loss: float, _weights: Weights) -> None:
        print(f"epoch {number + 1:3d}  loss {loss:.4f}  {time.monotonic() - began:4.0f} s", flush=True)

    weights = train(recordings, Recipe(epochs=arguments.epochs), arguments.seed, report)
    save_weights(weights, arguments.out)
    print(f"{arguments.out}: written")


if __name__ == "__main__":
    main()
