"""The folder that `{scratch}` of a bench file stands for: for what a running bench shares with its DUT."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import platformdirs

# Memory that has a name: a page of a file on disk is written back now and then, and whoever stores into it
# then waits.
_SHARED_MEMORY = Path("/dev/shm")  # shm_overview(7)


def scratch_folder() -> Path:
    """Of this user, and of this state folder (`LAN_HIL_STATE`) alone; it need not exist."""
    override = os.environ.get("LAN_HIL_STATE")
    state = Path(override) if override else platformdirs.user_state_path("pytest-lan-hil")
    if not _SHARED_MEMORY.is_dir():
        return state / "scratch"
    digest = hashlib.sha256(str(state.absolute()).encode()).hexdigest()[:8]
    return _SHARED_MEMORY / f"lan-hil-{os.getuid()}-{digest}"
