"""What this service needs to know besides the common settings."""

from typing import Annotated

from pydantic import Field

from services.runtime import settings


class Settings(settings.Settings):
    """``RUTA_INTERNAL_ERRORS``: how many declarations may wait for a mend of our own rules before intake stops."""

    internal_errors: Annotated[int, Field(ge=1, le=10_000)] = 10
