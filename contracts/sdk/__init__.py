"""What an institution uses to declare and to read, on its own: the extra ``sdk`` of this repository.

    async with Publisher("personeria-giron", bootstrap="…", password="…") as publisher:
        event = await publisher.send(declaration)
        fact = await publisher.outcome(event, timeout=30)

    async with Inbox("icbf-santander", bootstrap="…", password="…", key=load_private(path)) as inbox:
        async for item in inbox: ...

``declare`` makes a declaration in code, ``read_file`` from a file.
"""

from contracts.sdk.connection import Connection
from contracts.sdk.declare import Official, System, declare
from contracts.sdk.errors import (
    BadFile,
    LoginRefused,
    NotADeclaration,
    NotPermitted,
    NotReachable,
    OutcomeUnknown,
    SdkError,
    UnsafeConnection,
)
from contracts.sdk.file import read_file
from contracts.sdk.inbox import Inbox, Item, Opened, Unreadable
from contracts.sdk.publisher import Publisher

__all__ = [
    "BadFile",
    "Connection",
    "Inbox",
    "Item",
    "LoginRefused",
    "NotADeclaration",
    "NotPermitted",
    "NotReachable",
    "Official",
    "Opened",
    "OutcomeUnknown",
    "Publisher",
    "SdkError",
    "System",
    "Unreadable",
    "UnsafeConnection",
    "declare",
    "read_file",
]
