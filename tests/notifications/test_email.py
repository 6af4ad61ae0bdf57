"""One SMTP dialogue: every end is a value, also while our own files are away."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from contracts.receipts import DeliveryProblem
from services.notifications.channels.email import Email
from services.notifications.delivery import NotSent, Sent
from services.notifications.settings import Settings
from tests.notifications import mailserver
from tests.support.tls import Certified

pytestmark = pytest.mark.anyio

MESSAGE = b"Subject: x\r\n\r\nx\r\n"


@pytest.mark.parametrize(
    ("file", "content"),
    [("authority", None), ("authority", b"-----BEGIN CERTIFICATE-----\nMIIB"), ("secret", None), ("secret", b"\xff")],
)
async def test_a_file_that_is_renewed_costs_attempts_and_nothing_else(
    given: dict[str, Any], tmp_path: Path, file: str, content: bytes | None
) -> None:
    certified = Certified(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certified.own)
    secret = tmp_path / "mail-secret"
    secret.write_text("s")
    async with mailserver.running(context) as server:
        tls = {"smtp_tls": "implicit", "smtp_ca_file": certified.ca_file, "smtp_port": server.port}
        login = {"smtp_user": "ruta", "smtp_password_file": secret}
        email = Email(Settings(**given | tls | login))
        changed = {"authority": certified.ca_file, "secret": secret}[file]
        whole = changed.read_bytes()
        changed.unlink()
        if content is not None:
            changed.write_bytes(content)
        assert await email.send("a@b.example", MESSAGE) == NotSent(DeliveryProblem.SESSION_REFUSED)
        assert server.connections == 0
        changed.write_bytes(whole)
        assert await email.send("a@b.example", MESSAGE) == Sent(250)
        await email.close()
