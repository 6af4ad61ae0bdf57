"""Numbers as people in Colombia read them."""


def number(value: float | None) -> str:
    """A count with a point between thousands: ``12.141``; a dash where nobody knows."""
    return "–" if value is None else f"{value:,.0f}".replace(",", ".")


def decimal(value: float | None) -> str:
    """A number with one decimal after a comma: ``1.234,5``; a dash where nobody knows."""
    return "–" if value is None else f"{value:,.1f}".translate(str.maketrans(",.", ".,"))
