"""The inverse of ``contracts.codec.frame``: a record's key, headers and value from its one byte string."""

import struct

from contracts.envelope import Header

_NULL = 0xFFFFFFFF


class Unreadable(ValueError):
    """These bytes are no frame."""


def unframe(content: bytes) -> tuple[bytes | None, tuple[Header, ...], bytes | None]:
    """Key, headers and value. Raises Unreadable unless these bytes are exactly one frame."""
    at = 0

    def part() -> bytes | None:
        nonlocal at
        if len(content) < at + 4:
            raise Unreadable("it ends too early")
        (length,) = struct.unpack_from(">I", content, at)
        at += 4
        if length == _NULL:
            return None
        if len(content) < at + length:
            raise Unreadable("it ends too early")
        at += length
        return content[at - length : at]

    key, count = part(), part()
    if count is None or len(count) != 4:
        raise Unreadable("it has no number of headers")
    headers = []
    for _ in range(int.from_bytes(count, "big")):
        name, value = part(), part()
        if name is None:
            raise Unreadable("a header has no name")
        headers.append((name.decode("utf-8", "surrogateescape"), value))
    value = part()
    if at != len(content):
        raise Unreadable("something follows it")
    return key, tuple(headers), value
