"""The mail sink speaks SMTP and has filed a message when it says so."""

import asyncio
import smtplib
from email.message import EmailMessage

import pytest

from deploy.embedded.stack import Stack

pytestmark = pytest.mark.anyio


async def test_an_acknowledged_message_is_in_the_maildir(own_stack: Stack) -> None:
    message = EmailMessage()
    message["From"] = "ruta@ruta.example"
    message["To"] = "mesa@alfa.example"
    message["Subject"] = "Remisión sin respuesta"
    message["Message-ID"] = "<one@ruta.example>"
    message.set_content("Hay una remisión en espera.")

    def send() -> None:
        with smtplib.SMTP(own_stack.addresses.smtp_host, own_stack.addresses.smtp_port, timeout=5) as client:
            client.send_message(message)

    await asyncio.to_thread(send)
    filed = [path.read_bytes() for path in (own_stack.state.mail / "new").iterdir()]
    assert sum(b"Message-ID: <one@ruta.example>" in content for content in filed) == 1
    assert list((own_stack.state.mail / "tmp").iterdir()) == []
