"""`profile.json` in a run's folder: where the core was at each inference (docs/reference/outputs.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.profile import Counted, FunctionTime, Profile
from pytest_lan_hil.publish.files import write_atomically

PROFILE_NAME = "profile.json"
SCHEMA_VERSION = 1


def write_profile(
    profile: Profile, directory: Path, *, run_id: str, board: str, bench: str, simulated: bool
) -> Path:
    """Write a run's profile; returns its path.

    Raises:
        InputError: It can't be written.
    """
    tree = {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "board": board,
        "bench": bench,
        "simulated": simulated,
        "firmware_sha256": profile.firmware_sha256,
        "counted": profile.counted.value,
        "inferences": profile.inferences,
        "duration_s": profile.duration_s,
        "asleep_s": profile.asleep_s,
        "total": profile.total,
        "functions": [
            {"name": one.name, "amount": one.amount, "error": one.error} for one in profile.functions
        ],
    }
    text = json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False)
    return write_atomically(directory / PROFILE_NAME, text + "\n")


def read_profile(directory: Path) -> Profile | None:
    """The profile in a run's folder; None if it has none.

    Raises:
        InputError: It is not what `write_profile` writes.
    """
    path = directory / PROFILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(path, str(error)) from error
    try:
        tree = json.loads(text)
        version = tree["schema_version"]
        if version != SCHEMA_VERSION:
            raise _wrong(path, f"its schema version is {version!r}, this version reads {SCHEMA_VERSION}")
        return _profile(tree)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _wrong(path, f"{type(error).__name__}: {error}") from None


def _profile(tree: dict[str, Any]) -> Profile:
    found = Profile(
        firmware_sha256=str(tree["firmware_sha256"]),
        counted=Counted(tree["counted"]),
        inferences=int(tree["inferences"]),
        duration_s=float(tree["duration_s"]),
        asleep_s=float(tree["asleep_s"]),
        total=int(tree["total"]),
        functions=tuple(
            FunctionTime(str(one["name"]), int(one["amount"]), float(one["error"]))
            for one in tree["functions"]
        ),
    )
    if found.inferences < 1 or found.total < 1:
        raise ValueError("it counted nothing")
    return found


def _wrong(path: Path, found: str) -> InputError:
    return InputError(
        f"the profile {path} can't be read: {found}", fix="make it anew: pytest --board NAME --hil-profile"
    )
