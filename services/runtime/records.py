"""Lets aiokafka read records whose header names are not UTF-8.

Kafka stores such a record like any other, but aiokafka 0.14 decodes names strictly while it parses a fetch:
one record stops the consumer of every institution, without a log line. Here such names keep their bytes as
surrogates (PEP 383), nobody reads them, and the record is judged like any other. The fast parser does the
work; the slow one repeats only a batch that it cannot read.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


class _TolerantBytes(bytearray):
    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _TolerantBytes(found) if isinstance(place, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        return super().decode(encoding, "surrogateescape")


class _Batch:
    """A record batch of the fast parser, with the slow one behind it."""

    def __init__(self, fast: Any, content: memoryview) -> None:
        self._fast, self._content = fast, content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fast, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._fast))
        except UnicodeDecodeError:
            slow = _DefaultRecordBatchPy(self._content)
            slow._maybe_uncompress()
            slow._buffer = _TolerantBytes(slow._buffer)
            return iter(list(slow))


class _TolerantRecords:
    """What the fetcher takes a fetched partition apart with."""

    def __init__(self, content: bytes) -> None:
        self._slices = _MemoryRecordsPy(content)
        self.size_in_bytes = self._slices.size_in_bytes
        self.has_next = self._slices.has_next

    def next_batch(self) -> Any:
        content = self._slices._next_slice
        fast = self._slices.next_batch()
        return _Batch(fast, content) if fast is not None and content is not None else fast


def install() -> None:
    """Make every consumer of this process tolerant."""
    fetcher.MemoryRecords = _TolerantRecords
