"""The compose file as Python values, with its variables filled in as compose does."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from deploy.compose.prepare import FOLDER

FILE = FOLDER / "compose.yaml"
OURS = ("referrals", "notifications", "audit")
_VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::([-?])([^}]*))?\}")


def values(environment_file: Path) -> dict[str, str]:
    """The variables of a prepared compose.env."""
    return dict(line.split("=", 1) for line in environment_file.read_text("utf-8").splitlines())


def document(variables: Mapping[str, str]) -> Any:
    """The whole file. Raises KeyError for a variable that nobody set and that has no default."""

    def fill(found: re.Match[str]) -> str:
        name, kind, default = found.groups()
        return variables.get(name, default) if kind == "-" else variables[name]

    return YAML(typ="safe").load(_VARIABLE.sub(fill, FILE.read_text("utf-8")))


def default_images() -> dict[str, str]:
    """The images that everything starts from, by the variable that chooses another."""
    servers = re.findall(r"\$\{(RUTA_\w+_IMAGE):-([^}]+)\}", FILE.read_text("utf-8"))
    ours = re.findall(r"^ARG (RUTA_\w+_IMAGE)=(\S+)$", (FOLDER / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    return dict([*servers, *ours])
