"""`ruta lifecycle`: what the code that decides says about every verb."""

from enum import StrEnum

from deploy.lifecycle import diagram, table


class Format(StrEnum):
    """How it is printed."""

    JSON = "json"
    MARKDOWN = "markdown"
    SVG = "svg"


def run(form: Format) -> None:
    """Print it."""
    match form:
        case Format.JSON:
            print(table.as_json())
        case Format.MARKDOWN:
            print(table.as_markdown(), end="")
        case Format.SVG:
            print(diagram.as_svg(), end="")
