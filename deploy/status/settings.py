"""What the status page has to know: where it listens, and which processes it looks at."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import StringConstraints

from services.runtime.settings import PageSettings

_URL = r"http://[A-Za-z0-9.:\[\]-]+"


class Settings(PageSettings):
    """``RUTA_STATUS_OF``: ``referrals=http://127.0.0.1:19001,referrals-2=http://…``, one entry for each process."""

    status_of: Annotated[str, StringConstraints(pattern=rf"^[a-z]+(-[0-9]+)?={_URL}(,[a-z]+(-[0-9]+)?={_URL})*$")]

    @property
    def processes(self) -> Mapping[str, str]:
        """The address of every process by its name."""
        pairs = (entry.partition("=") for entry in self.status_of.split(","))
        return {name: url for name, _, url in pairs}
