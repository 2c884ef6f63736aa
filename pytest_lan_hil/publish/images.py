"""What is known of each image that was tested, kept once: `<hil-output>/images/<sha256>.json`.

Flash and static RAM by object file, and the size of each function, so that `lan-hil compare` can tell what
grew between two runs whose images are long gone. Whatever goes wrong here costs no run its record.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_lan_hil.dut.growth import Footprint, ObjectSize
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.files import write_atomically

FOLDER = "images"
SCHEMA_VERSION = 1

_SHA256 = re.compile(r"[0-9a-f]{8,128}")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Of one image.

    Attributes:
        name: The file's name.
        footprint: By object file; what told it stands in its `source`.
        functions: Name to bytes.
    """

    name: str
    footprint: Footprint
    functions: Mapping[str, int]


def keep_images(record: RunRecord, output: Path) -> None:
    """Keep what there is to know of every image that the run proved and nobody kept yet; never an error.

    An image that is no ELF, or is not any more what was tested, is left out.
    """
    images = {test.firmware.sha256: test.firmware for test in record.tests if test.firmware}
    for sha256, firmware in images.items():
        if firmware.proved and _SHA256.fullmatch(sha256) and not _path(output, sha256).exists():
            try:
                _keep(Path(firmware.image), sha256, output)
            except Exception:
                # Whatever a compiler may put into an ELF, the run is measured and recorded already.
                continue


def _keep(path: Path, sha256: str, output: Path) -> None:
    from pytest_lan_hil.dut.footprint import footprint  # readers do without pyelftools
    from pytest_lan_hil.dut.image import load_image

    image = load_image(path)
    if image.sha256 != sha256:
        return
    sizes: Counter[str] = Counter()
    for _, size, name in set(image.functions):
        sizes[name] += size
    write_atomically(_path(output, sha256), to_json(ImageFacts(path.name, footprint(image), sizes)))


def read_image(output: Path, sha256: str) -> ImageFacts | None:
    """What was kept of an image; None if nothing was, or nothing that can be read."""
    if not _SHA256.fullmatch(sha256):
        return None
    try:
        return from_json(_path(output, sha256).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def to_json(facts: ImageFacts) -> str:
    """As it is kept."""
    tree = {
        "schema_version": SCHEMA_VERSION,
        "image": facts.name,
        "source": facts.footprint.source,
        "objects": {one.name: [one.flash, one.ram] for one in facts.footprint.objects},
        "functions": dict(sorted(facts.functions.items())),
    }
    return json.dumps(tree, indent=0, ensure_ascii=False) + "\n"


def from_json(text: str) -> ImageFacts:
    """The inverse of `to_json`.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: It is something else.
    """
    tree: dict[str, Any] = json.loads(text)
    if tree["schema_version"] != SCHEMA_VERSION:
        raise ValueError("another schema version")
    objects = tuple(ObjectSize(name, int(flash), int(ram)) for name, (flash, ram) in tree["objects"].items())
    functions = {str(name): int(size) for name, size in tree["functions"].items()}
    return ImageFacts(str(tree["image"]), Footprint(objects, str(tree["source"])), functions)


def _path(output: Path, sha256: str) -> Path:
    return output / FOLDER / f"{sha256}.json"
