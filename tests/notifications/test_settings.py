"""Settings that would send mail or a login in the clear are refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.notifications.settings import Settings


def test_loopback_needs_no_tls(given: dict[str, Any]) -> None:
    assert Settings(**given).smtp_timeout == 60


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"smtp_host": "mail.mesa.example"}, "needs TLS"),
        ({"smtp_user": "ruta"}, "RUTA_SMTP_PASSWORD_FILE"),
        ({"smtp_user": "ruta", "smtp_password_file": "secret"}, "without TLS"),
        ({"mail_sender": "ruta@mesa.example\r\nBcc: x@y.example"}, "pattern"),
    ],
)
def test_what_is_unsafe_is_refused(given: dict[str, Any], changes: dict[str, Any], complaint: str) -> None:
    if "smtp_password_file" in changes:
        changes = changes | {"smtp_password_file": given["kafka_password_file"]}
    with pytest.raises(ValidationError, match=complaint):
        Settings(**given | changes)


def test_a_login_over_tls_is_taken(given: dict[str, Any]) -> None:
    login = {"smtp_user": "ruta", "smtp_password_file": given["kafka_password_file"]}
    assert Settings(**given | login | {"smtp_host": "mail.mesa.example", "smtp_tls": "starttls"}).smtp_user == "ruta"
