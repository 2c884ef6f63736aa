"""The image of a commit: built in the working tree of our own, and kept."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.run.bisect.process import run_logged, tail


class BuildFailed(Exception):
    """A commit has no image: says why, and what the build said last."""


@dataclass(frozen=True, slots=True)
class KeptImage:
    """A copy of an image that no later build overwrites."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the image of a commit is made.

    Attributes:
        command: Program and arguments.
        folder: Where it runs, relative to the top of the checkout.
        image: What it makes, relative to the top of the checkout.
    """

    command: tuple[str, ...]
    folder: Path
    image: Path

    @classmethod
    def at(cls, command: tuple[str, ...], *, here: Path, image: Path, top: Path) -> Recipe:
        """A recipe for a checkout.

        Args:
            command: Program and arguments.
            here: Where the user stands.
            image: The image in the user's checkout; relative to `here`.
            top: The checkout's top folder, resolved.

        Raises:
            InputError: The image would not lie in the checkout.
        """
        here = here.resolve()
        whole = Path(os.path.normpath(here / image))
        if not whole.is_relative_to(top):
            raise InputError(
                f"image {whole} is not in the checkout {top}, so that no commit of it makes it",
                fix="name what the build command makes: --image PATH in the checkout",
            )
        return cls(command, here.relative_to(top), whole.relative_to(top))

    def build(self, top: Path, keep: Path) -> KeptImage:
        """Build what is checked out at `top`, and copy the image into the folder `keep`, beside `build.log`.

        Raises:
            BuildFailed: There is no image.
        """
        keep.mkdir(parents=True, exist_ok=True)
        log, made = keep / "build.log", top / self.image
        said = f"`{shlex.join(self.command)}`"
        try:
            code = run_logged(self.command, top / self.folder, log)
        except OSError as error:
            raise BuildFailed(f"{said} can't be run: {error.strerror}: {error.filename}") from None
        if code != 0:
            raise BuildFailed(f"{said} ended with exit code {code}{tail(log)}")
        if not made.is_file():
            raise BuildFailed(f"{said} made no {self.image}{tail(log)}")
        return keep_image(made, keep)


def keep_image(image: Path, folder: Path) -> KeptImage:
    """Copy an image, with what the linker says of it, if that is there."""
    kept = Path(shutil.copy(image, folder / image.name))
    memory = image.with_suffix(".map")
    if memory != image and memory.is_file():
        shutil.copy(memory, folder / memory.name)
    return KeptImage(kept, hashlib.sha256(kept.read_bytes()).hexdigest())
