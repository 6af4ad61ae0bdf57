"""E-mail over SMTP: connections that are used again, every dialogue bounded in time, every end a value."""

import asyncio
import contextlib
import logging
import re
import ssl
import time
from dataclasses import dataclass, field

import aiosmtplib

from contracts.receipts import DeliveryProblem
from services.notifications.delivery import NotSent, Result, Sent
from services.notifications.settings import Settings
from services.runtime import logs
from services.runtime.settings import read_secret

log = logging.getLogger("ruta.notifications.email")

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 10.0
"""A server may end an idle session without our noticing, so an older one is not trusted with a mail."""

_OURS = re.compile(r"5\.(?:7\.[0-9]{1,3}|4\.5)(?![0-9])")
"""Enhanced codes (RFC 3463) of a server that turns us away, not the message: security or policy, and a limit on what we
may send. A relay that no longer knows us says so at the recipient or at the end of the message."""

_LOGIN_WANTED = (530, 535)


@dataclass
class Email:
    """Sends finished messages. Not for more than one event loop."""

    settings: Settings
    _idle: list[tuple[float, aiosmtplib.SMTP]] = field(default_factory=list)

    async def send(self, to: str, message: bytes) -> Result:
        """One SMTP dialogue. Returns what came of it; raises nothing but cancellation."""
        client = self._reuse()
        if client is None:
            connected = await self._connect()
            if isinstance(connected, NotSent):
                return connected
            client = connected
        try:
            async with asyncio.timeout(self.settings.smtp_timeout):
                await client.sendmail(self.settings.mail_sender, [to], message)
        except (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused) as error:
            # A reply, and the dialogue was reset: the session is good for the next mail.
            self._keep(client)
            return _problem(error)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            # A reply may still be under way and would be taken for the answer to the next mail.
            client.close()
            return _problem(error)
        except BaseException:
            client.close()
            raise
        self._keep(client)
        # aiosmtplib takes no other reply after the message for success (RFC 5321 section 4.3.2).
        return Sent(250)

    async def close(self) -> None:
        """End the idle sessions as SMTP asks, without waiting for servers that do not answer."""
        idle, self._idle = [client for _, client in self._idle], []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.gather(*(client.quit() for client in idle), return_exceptions=True)

    def _reuse(self) -> aiosmtplib.SMTP | None:
        while self._idle:
            since, client = self._idle.pop()
            if client.is_connected and time.monotonic() - since < IDLE_SECONDS:
                return client
            client.close()
        return None

    def _keep(self, client: aiosmtplib.SMTP) -> None:
        if client.is_connected:
            self._idle.append((time.monotonic(), client))

    async def _connect(self) -> aiosmtplib.SMTP | NotSent:
        try:
            client = _client(self.settings)
        except (OSError, ValueError) as error:
            # Our secret or authority is gone or half written, as for a moment when they are renewed.
            log.error("a file that the mail server's session needs cannot be read",  # noqa: TRY400
                      extra={"reason": logs.describe(error)})  # fmt: skip
            return NotSent(DeliveryProblem.SESSION_REFUSED)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await client.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            return _no_session(error)
        except BaseException:
            client.close()
            raise
        client.timeout = self.settings.smtp_timeout
        return client


def _client(settings: Settings) -> aiosmtplib.SMTP:
    """Raises OSError or ValueError for a file that cannot be read."""
    login = settings.smtp_password_file
    return aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        use_tls=settings.smtp_tls == "implicit",
        start_tls=settings.smtp_tls == "starttls",
        tls_context=_tls(settings),
        username=settings.smtp_user,
        password=read_secret(login) if login else None,
        # Asking the machine for its name may wait for DNS; the sender's domain is as good.
        local_hostname=settings.mail_sender.rpartition("@")[2],
        timeout=min(CONNECT_SECONDS, settings.smtp_timeout),
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.smtp_tls == "none":
        return None
    return ssl.create_default_context(cafile=settings.smtp_ca_file)


def _no_session(error: Exception) -> NotSent:
    match error:
        case aiosmtplib.SMTPConnectResponseError():
            return NotSent(DeliveryProblem.UNREACHABLE, _code(error.code))
        case aiosmtplib.SMTPResponseException():
            return NotSent(DeliveryProblem.SESSION_REFUSED, _code(error.code))
        case ssl.SSLError() | aiosmtplib.SMTPNotSupported():
            return NotSent(DeliveryProblem.SESSION_REFUSED)
        case _:
            return NotSent(DeliveryProblem.UNREACHABLE)


def _problem(error: Exception) -> NotSent:
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            return _refusal(error.recipients[0])
        case aiosmtplib.SMTPSenderRefused():
            return NotSent(DeliveryProblem.SESSION_REFUSED, _code(error.code))
        case aiosmtplib.SMTPResponseException():
            return _refusal(error)
        case TimeoutError():
            return NotSent(DeliveryProblem.TIMEOUT)
        case ValueError():
            return NotSent(DeliveryProblem.NO_ADDRESS)
        case _:
            return NotSent(DeliveryProblem.DISCONNECTED)


def _refusal(error: aiosmtplib.SMTPResponseException) -> NotSent:
    code = error.code
    if not 500 <= code <= 599:
        return NotSent(DeliveryProblem.DEFERRED, _code(code))
    if code in _LOGIN_WANTED or _OURS.match(error.message):
        return NotSent(DeliveryProblem.SESSION_REFUSED, code)
    return NotSent(DeliveryProblem.REFUSED, code)


def _code(code: int) -> int | None:
    return code if 100 <= code <= 599 else None
