"""What a virtual board keeps between processes: flash and UICR, under a lock that names its owner.

One directory per board: `<root>/<name>/` with `nonvolatile.bin` (compressed, replaced atomically), `lock` and
`owner.json`. The root is `platformdirs`' state directory, or LAN_HIL_VIRTUAL_STATE.
"""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_state_dir

from pytest_lan_hil.model.errors import BlockedError, LeaseError

ENVIRONMENT_ROOT = "LAN_HIL_VIRTUAL_STATE"
ENVIRONMENT_WAIT = "LAN_HIL_VIRTUAL_WAIT_S"
DEFAULT_WAIT_S = 10.0
_MAGIC = b"pytest-lan-hil virtual nonvolatile 1\n"
_FILE = "nonvolatile.bin"


def state_root() -> Path:
    """Where the virtual boards live."""
    override = os.environ.get(ENVIRONMENT_ROOT)
    return Path(override) if override else Path(user_state_dir("pytest-lan-hil")) / "virtual"


@dataclass(frozen=True, slots=True)
class StateInfo:
    """One virtual board on disk: name, directory, size of its file, and the PID that holds it (or None)."""

    name: str
    directory: Path
    stored_bytes: int
    owner_pid: int | None


def _owner(directory: Path) -> int | None:
    try:
        pid = json.loads((directory / "owner.json").read_text(encoding="utf-8"))["pid"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(pid, int):
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None  # it died without tidying up; the lock went with it
    except OSError:
        return pid
    return pid


class BoardState:
    """The stored content of one board, held exclusively.

    Args:
        name: Board name.
        root: Directory of all boards; default `state_root()`.
        wait_s: How long to wait for another owner; default LAN_HIL_VIRTUAL_WAIT_S or 10 s.

    Raises:
        LeaseError: Another process holds the board and did not let go in time.
        BlockedError: The directory can't be written.
    """

    def __init__(self, name: str, *, root: Path | None = None, wait_s: float | None = None) -> None:
        self.name = name
        self.directory = (root or state_root()) / name
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BlockedError(
                f"can't create the state directory of the virtual board {name!r}: {error}",
                fix=f"make {self.directory.parent} writable, or set {ENVIRONMENT_ROOT} to one that is",
            ) from error
        self._lock = FileLock(self.directory / "lock")
        self._stored: bytes | None = None
        if wait_s is None:
            wait_s = float(os.environ.get(ENVIRONMENT_WAIT, DEFAULT_WAIT_S))
        try:
            self._lock.acquire(timeout=wait_s)
        except Timeout as error:
            owner = _owner(self.directory)
            who = f"process {owner}" if owner is not None else "another process"
            raise LeaseError(
                f"the virtual board {name!r} is in use by {who} (waited {wait_s:g} s)",
                fix=f"wait for it, or give this run its own boards: {ENVIRONMENT_ROOT}=<directory>",
            ) from error
        (self.directory / "owner.json").write_text(json.dumps({"pid": os.getpid()}), encoding="utf-8")

    @property
    def path(self) -> Path:
        """The file."""
        return self.directory / _FILE

    def load(self, size: int) -> bytes | None:
        """The stored content, or None if there is none (an erased part).

        Raises:
            BlockedError: The file is damaged or made for another size.
        """
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            if not raw.startswith(_MAGIC):
                raise ValueError("not a state file of this version")
            content = zlib.decompress(raw[len(_MAGIC) :])
            if len(content) != size:
                raise ValueError(f"{len(content)} bytes where {size} were expected")
        except (ValueError, zlib.error) as error:
            raise BlockedError(
                f"the stored flash of the virtual board {self.name!r} can't be read: {self.path}: {error}",
                fix=f"erase the board: lan-hil virtual reset {self.name}",
            ) from error
        self._stored = content
        return content

    def save(self, content: bytes) -> bool:
        """Replace the stored content, atomically and only if it changed. Returns True if it was written."""
        if content == self._stored:
            return False
        handle, temporary = tempfile.mkstemp(dir=self.directory, prefix=".nonvolatile-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC)
                file.write(zlib.compress(content, 1))
            Path(temporary).replace(self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        self._stored = content
        return True

    def close(self) -> None:
        """Let go of the board."""
        (self.directory / "owner.json").unlink(missing_ok=True)
        self._lock.release()


def list_states(root: Path | None = None) -> list[StateInfo]:
    """All virtual boards that have ever been used here, by name."""
    root = root or state_root()
    found = []
    for directory in sorted(root.iterdir()) if root.is_dir() else ():
        if directory.is_dir():
            file = directory / _FILE
            size = file.stat().st_size if file.exists() else 0
            found.append(StateInfo(directory.name, directory, size, _owner(directory)))
    return found


def reset_state(name: str, root: Path | None = None, *, wait_s: float | None = None) -> bool:
    """Erase a virtual board: its next user finds an erased part. Returns False if there was nothing stored.

    Raises:
        LeaseError: The board is in use.
    """
    if not ((root or state_root()) / name).is_dir():
        return False
    state = BoardState(name, root=root, wait_s=wait_s)
    try:
        existed = state.path.exists()
        state.path.unlink(missing_ok=True)
    finally:
        state.close()
    return existed
