"""A search that never finds anything proves nothing: the canary is planted in logs, mails and tables."""

import json
from email.message import EmailMessage
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.embedded.stack import Stack
from deploy.ledger import leaks
from tests.support.database import connect

CANARY = "CANARIO-Yuleisy-Rondón-V27654321"


def mail(*, subject: str = "Aviso", body: str = "Nada") -> bytes:
    """A mail in the encodings of the notices."""
    made = EmailMessage()
    made["Subject"] = subject
    made.set_content(body, cte="quoted-printable")
    return made.as_bytes()


def test_a_log_or_a_mail_that_holds_it_is_named(tmp_path: Path) -> None:
    logs, mails = tmp_path / "logs", tmp_path / "mail" / "new"
    logs.mkdir()
    mails.mkdir(parents=True)
    (logs / "audit.log").write_text('{"message": "started"}\n')
    (mails / "clean").write_bytes(mail(body="é" * 200))
    assert list(leaks.files(logs, tmp_path / "mail", CANARY)) == []
    forms = (CANARY, str(CANARY.encode()), json.dumps(CANARY), CANARY.encode().hex())
    for number, form in enumerate(forms):
        (logs / f"form-{number}").write_text(f"value {form} cannot be read\n")
    (mails / "subject").write_bytes(mail(subject=f"Aviso sobre una persona que se llama {CANARY}"))
    # Wherever the lines of a mail are broken.
    for before in range(100):
        (mails / f"body-{before}").write_bytes(mail(body=f"é{'x' * before}{CANARY}"))
    named = {f"logs/form-{number}" for number in range(len(forms))}
    named |= {"new/subject", *(f"new/body-{before}" for before in range(100))}
    assert set(leaks.files(logs, tmp_path / "mail", CANARY)) == {f"{file} holds personal data" for file in named}


@pytest.mark.anyio
@pytest.mark.parametrize("column", ["text", "bytea"])
async def test_a_table_that_holds_it_is_named(stack: Stack, column: str) -> None:
    canary = f"{CANARY}-{uuid4()}"
    connection = await connect(stack, "ruta_admin")
    planting = connection.transaction()
    await planting.start()
    try:
        await connection.execute(f"create table referrals.planted (id int, content {column})")
        assert [found async for found in leaks.tables(connection, canary)] == []
        said = f"antes {canary} después"
        await connection.execute(
            "insert into referrals.planted values (1, $1), (2, $2)",
            *((said, "nada") if column == "text" else (said.encode(), b"nada")),
        )
        assert [found async for found in leaks.tables(connection, canary)] == [
            "table referrals.planted holds personal data in 1 rows"
        ]
    finally:
        await planting.rollback()
        await connection.close()
