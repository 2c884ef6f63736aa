"""Arrays for records that may be longer than memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.model.errors import InputError

#: Up to this many samples of a signal are held in memory: 1 GiB of float32, two minutes of a JS110.
IN_MEMORY = 1 << 28


def array_of(count: int, dtype: Any, *, in_memory: int = IN_MEMORY) -> NDArray[Any]:
    """An array of any content; a longer one than `in_memory` is a file that goes away together with it.

    That file stands in TMPDIR, else in /var/tmp, because /tmp is memory on many systems.

    Raises:
        InputError: There is no room for it.
    """
    if count <= in_memory:
        return np.empty(count, dtype)
    size = count * np.dtype(dtype).itemsize
    folder = os.environ.get("TMPDIR") or ("/var/tmp" if Path("/var/tmp").is_dir() else None)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            # All of it now: a page that finds the disk full later would end the process.
            os.posix_fallocate(file.fileno(), 0, size) if hasattr(os, "posix_fallocate") else file.truncate(
                size
            )
            return np.memmap(file, dtype, mode="r+", shape=(count,))
    except OSError as error:
        raise InputError(
            f"a signal of {count} samples does not fit into {folder or 'the temporary folder'}:"
            f" {error.strerror or error}",
            fix=f"make {size / 2**30:.1f} GiB of room, set TMPDIR to a larger disk, or read a part of it",
        ) from error
