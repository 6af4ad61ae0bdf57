"""A module that calls itself pure is held to it by the import contracts."""

import ast
import tomllib
from pathlib import Path

import services

CHECKOUT = Path(services.__file__).parent.parent


def test_every_module_of_the_services_that_says_pure_is_in_the_list() -> None:
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    pure = next(one for one in settings["tool"]["importlinter"]["contracts"] if one["name"].startswith("pure rules"))
    said = {
        ".".join(path.relative_to(CHECKOUT).with_suffix("").parts)
        for path in (CHECKOUT / "services").rglob("*.py")
        if "Pure" in (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "")
    }
    assert said
    assert said <= set(pure["source_modules"])
