"""What board and bench files have in common."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationInfo, field_validator

from pytest_lan_hil.config.fields import Name, wrong


class Description(BaseModel):
    """One file: frozen, unknown keys forbidden, values of exactly the right type.

    Field examples are shown to the user whose file lacks the key or has it wrong. Relative paths are resolved
    against the validation context's `folder`, and the name must be its `stem`.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
    _path: Path = PrivateAttr(default=Path())

    name: Name = ""
    """The file's name without `.toml`; may be left out."""

    @property
    def path(self) -> Path:
        """The file it was read from."""
        return self._path

    @field_validator("name")
    @classmethod
    def _is_file_name(cls, name: str, info: ValidationInfo) -> str:
        stem = (info.context or {}).get("stem", name)
        if name != stem:
            raise wrong(
                f'is "{name}", but the file is called {stem}.toml',
                f"remove the line, or rename the file to {name}.toml",
            )
        return name
