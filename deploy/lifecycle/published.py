"""The table and the diagram where people find them: in the README. A test holds them equal to the code."""

import re
from pathlib import Path

from deploy.lifecycle import diagram, table

README, DIAGRAM = "README.md", "deploy/screenshots/lifecycle.svg"
_TABLE = re.compile(r"(?<=<!-- ./ruta lifecycle -->\n\n).*?(?=\n<!-- end -->)", re.DOTALL)


def written(readme: str) -> str:
    """The README with the table as it is now. Raises ValueError where there is no place for it."""
    if not _TABLE.search(readme):
        raise ValueError(f"{README} has no place for the life cycle")
    return _TABLE.sub(lambda _: table.as_markdown(), readme)


def write(checkout: Path) -> None:
    """Write both."""
    readme = checkout / README
    readme.write_text(written(readme.read_text("utf-8")), "utf-8")
    (checkout / DIAGRAM).write_text(diagram.as_svg(), "utf-8")
