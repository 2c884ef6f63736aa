"""Write the front end's tables and the trained weights as C.

    python firmware/model/generate.py            writes firmware/common/{frontend_tables,model}.{c,h}

The sizes come from common/config.h, the weights from weights.npz. Needs numpy only.
"""

from __future__ import annotations

from liquid import c_source
from liquid.config import COMMON
from liquid.weights import load_weights


def written_files() -> dict[str, str]:
    """Text by file name in common/."""
    tables, model = c_source.frontend_tables(), c_source.model(load_weights())
    stems = {"frontend_tables": tables, "model": model}
    return {
        f"{stem}.{suffix}": text
        for stem, pair in stems.items()
        for suffix, text in zip("hc", pair, strict=True)
    }


def main() -> None:
    """Write the four files."""
    for name, text in written_files().items():
        (COMMON / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
