"""The mail sink speaks SMTP and has filed a message when it says so."""

import asyncio
import smtplib
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path

import pytest

from deploy.embedded.mail import answers, serve
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from tests.support.wire import eventually

pytestmark = pytest.mark.anyio


def send(port: int) -> None:
    message = EmailMessage()
    message["From"] = "ruta@ruta.example"
    message["To"] = "mesa@alfa.example"
    message["Subject"] = "Remisión sin respuesta"
    message["Message-ID"] = "<one@ruta.example>"
    message.set_content("Hay una remisión en espera.")
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.send_message(message)


async def test_a_message_that_cannot_be_filed_is_asked_for_again(tmp_path: Path) -> None:
    port = Ports.free().smtp
    serving = asyncio.ensure_future(serve(port, tmp_path))
    try:

        async def listening() -> bool:
            with suppress(OSError):
                return await answers(port)
            return False

        await eventually(listening)
        (tmp_path / "new").rename(tmp_path / "elsewhere")  # no writing there: as on a full disk
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await asyncio.to_thread(send, port)
        assert refused.value.smtp_code == 452
        assert list((tmp_path / "tmp").iterdir()) == []
        (tmp_path / "elsewhere").rename(tmp_path / "new")
        await asyncio.to_thread(send, port)
        assert len(list((tmp_path / "new").iterdir())) == 1
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_an_acknowledged_message_is_in_the_maildir(own_stack: Stack) -> None:
    await asyncio.to_thread(send, own_stack.addresses.smtp_port)
    filed = [path.read_bytes() for path in (own_stack.state.mail / "new").iterdir()]
    assert sum(b"Message-ID: <one@ruta.example>" in content for content in filed) == 1
    assert list((own_stack.state.mail / "tmp").iterdir()) == []
