"""The measured part of the model card, rendered from evaluation.json: no number in it is typed by hand."""

from __future__ import annotations

from typing import Any

from liquid.config import LABELS

BEGIN = "<!-- written by evaluate.py from evaluation.json: do not edit -->"
END = "<!-- end of what evaluate.py writes -->"
Json = dict[str, Any]


def _share(found: Json) -> str:
    low, high = found["ci95_percent"]
    return f"{found['right']} of {found['n']} | {found['percent']:.1f} % | {low:.1f} to {high:.1f} %"


def _table(title: str, shares: dict[str, Json]) -> str:
    rows = "\n".join(f"| {name} | {_share(found)} |" for name, found in shares.items())
    return f"| {title} | right | accuracy | 95 % interval (Wilson) |\n|---|---|---|---|\n{rows}\n"


def _confusion(matrix: list[list[int]]) -> str:
    short = [label[:3] for label in LABELS]
    head = "| said \\ heard | " + " | ".join(short) + " |\n|" + "---|" * (len(short) + 1) + "\n"
    used = [(label, row) for label, row in zip(LABELS, matrix, strict=True) if sum(row)]
    return (
        head
        + "\n".join(f"| {label} | " + " | ".join(str(n or "") for n in row) + " |" for label, row in used)
        + "\n"
    )


def _costs(costs: Json) -> str:
    rows = [
        ("multiply-accumulates per network step", costs["multiplications"], costs["multiplications"]),
        ("flash of the parameters, bytes", costs["float"]["bytes"], costs["int8"]["bytes"]),
        (
            "cycles of the layers per step (estimate, see liquid/quantise.py)",
            costs["float"]["cycles"],
            costs["int8"]["cycles"],
        ),
        (
            "validation accuracy",
            *(f"{costs[kind]['validation']['percent']:.1f} %" for kind in ("float", "int8")),
        ),
    ]
    lines = "\n".join(f"| {name} | {a} | {b} |" for name, a, b in rows)
    return f"| | float32 | int8 weights |\n|---|---|---|\n{lines}\n"


def _sounds(shares: dict[str, Json]) -> str:
    return _table("sound", shares).replace("right", "no digit heard").replace("accuracy", "share")


def _over_speakers(shares: dict[str, Json]) -> str:
    percents = [found["percent"] for found in shares.values()]
    mean = sum(percents) / len(percents)
    return (
        f"On average over the {len(percents)} speakers {mean:.1f} %, "
        f"from {min(percents):.1f} to {max(percents):.1f} %: this, and not the validation part, says what "
        "somebody new may expect. The intervals above hold for more recordings of the same speaker.\n"
    )


def render(found: Json) -> str:
    """The Markdown between BEGIN and END, both included."""
    validation, shipped = found["validation"], found["shipped"]
    parts = [
        BEGIN,
        f"Weights `{found['weights_sha256'][:12]}`, heard by the mirror, which gives the firmware's bits.\n",
        "### People: validation part of the free spoken digit dataset (indices 5 to 9, unseen)\n",
        _table("", {"all": validation["all"]}),
        _table("speaker", validation["by_speaker"]),
        _table("digit", validation["by_label"]),
        _confusion(validation["confusion"]),
        f"The gate lets {validation['ran_percent']:.1f} % of the frames of these (trimmed) clips through.\n",
        "### A speaker who was left out of training\n",
        "Trained anew without the speaker "
        f"({found['left_out']['epochs']} epochs instead of {found['left_out']['full_epochs']}), "
        "asked all of the speaker's recordings but the official test part.\n",
        _table("speaker left out", found["left_out"]["by_speaker"]),
        _over_speakers(found["left_out"]["by_speaker"]),
        "### The evaluation set that ships (synthesizers, easier than people)\n",
        _table("", {"all": shipped["all"]}),
        _table("label", shipped["by_label"]),
        "### Sounds that are no speech\n",
        "Of the makers that the training used, from other random numbers (`liquid/noises.py`):\n",
        _sounds(found["no_speech"]),
        "Of other makers, which the training did not know: those of the harness's own test "
        "(`pytest_lan_hil/run/sounds.py`), a third each at -15, -25 and -40 dB of full scale:\n",
        _sounds({"all": found["harness_sounds"]["all"]} | found["harness_sounds"]["by_kind"]),
        "### float32 or int8\n",
        _costs(found["costs"]),
        END,
    ]
    return "\n".join(parts) + "\n"


def replaced(card: str, found: Json) -> str:
    """The card with its measured part written anew. Raises ValueError if the markers are not there."""
    before, begin, rest = card.partition(BEGIN)
    _, end, after = rest.partition(END + "\n")
    if not begin or not end:
        raise ValueError("the model card has lost its markers; see liquid/card.py")
    return before + render(found) + after
