"""What people read for the codes of the contracts: one catalogue per language, one section per enumeration."""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path

DEFAULT = "es_CO"
_FOLDER = Path(__file__).parent / "labels"


@cache
def catalogue(language: str = DEFAULT) -> Mapping[str, Mapping[str, str]]:
    """All labels of a language: enumeration name to code to text. Raises OSError for a language we do not have."""
    return tomllib.loads((_FOLDER / f"{language}.toml").read_text("utf-8"))


def label(code: StrEnum, language: str = DEFAULT) -> str:
    """The text of one code, for instance ``label(State.REQUESTED) == "Enviada"``."""
    return catalogue(language)[type(code).__name__][code.value]
