"""What this service needs to know besides the common settings: its signing key, its name, the keys' own login."""

from pathlib import Path
from typing import Annotated

from pydantic import FilePath, StringConstraints

from services.runtime import settings

ORIGIN = r"^[a-z0-9.:/-]{1,200}$"


class Settings(settings.Settings):
    """``RUTA_AUDIT_…``. ``audit_origin`` names the log for ever, in every checkpoint: a URL without its scheme. The key
    says it, too; where both do, they must say the same.

    ``audit_seen_file`` keeps the newest checkpoint outside the database, so that a restored log is not continued.
    """

    audit_signing_key_file: FilePath
    audit_origin: Annotated[str, StringConstraints(pattern=ORIGIN)] | None = None
    audit_keys_user: str
    audit_keys_password_file: FilePath
    audit_seen_file: Path | None = None
