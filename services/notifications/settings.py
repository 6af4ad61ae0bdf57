"""What this service needs to know besides the common settings: the mail server and who the mail is from."""

from typing import Annotated, Literal

from pydantic import Field, FilePath, StringConstraints, model_validator

from services.runtime import settings


class Settings(settings.Settings):
    """``RUTA_SMTP_…`` and ``RUTA_MAIL_SENDER``. ``smtp_timeout``: seconds for a whole SMTP dialogue.

    RFC 5321 section 4.5.3.2 allows a server ten minutes after the message; less time risks sending a message
    again that was taken, with the same Message-ID.
    """

    smtp_host: str
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = 25
    smtp_tls: Literal["none", "starttls", "implicit"] = "none"
    smtp_ca_file: FilePath | None = None
    smtp_user: str | None = None
    smtp_password_file: FilePath | None = None
    smtp_timeout: Annotated[float, Field(gt=0, le=600)] = 60.0
    mail_sender: Annotated[
        str, StringConstraints(pattern=r"^[a-z0-9.+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+$", max_length=120)
    ] = "ruta@mesa.example"

    @model_validator(mode="after")
    def _safe_mail(self) -> "Settings":
        if self.smtp_tls == "none" and not settings.loopback(self.smtp_host):
            raise ValueError("mail beyond loopback needs TLS: set RUTA_SMTP_TLS to starttls or implicit")
        if (self.smtp_user is None) != (self.smtp_password_file is None):
            raise ValueError("a login needs both RUTA_SMTP_USER and RUTA_SMTP_PASSWORD_FILE")
        if self.smtp_user is not None and self.smtp_tls == "none":
            raise ValueError("a login is not sent without TLS: set RUTA_SMTP_TLS")
        return self
