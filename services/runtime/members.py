"""The directory as a running service holds it: read again when its file changes, so no restart is needed."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contracts import directory, topics
from contracts.directory import Institution

log = logging.getLogger("ruta.members")


def reachable(members: Mapping[str, Institution], topic_names: Collection[str]) -> Mapping[str, Institution]:
    """The members whose topics are provisioned: a record for anybody else could not be delivered."""
    return {code: one for code, one in members.items() if topics.outbound(code) in topic_names}


@dataclass
class Members:
    """Institutions by code, from the operator's directory file."""

    file: Path
    _read_at: int = 0
    _all: Mapping[str, Institution] = field(default_factory=dict)

    def current(self) -> Mapping[str, Institution]:
        """The members now. A stat call is what it costs to see a change.

        A file that cannot be read leaves the last directory in force: somebody may be writing it. Raises ValueError
        when there is no last one.
        """
        try:
            changed_at = self.file.stat().st_mtime_ns
            if changed_at != self._read_at:
                self._read_at = changed_at
                self._all = directory.load(self.file).by_code
        except (OSError, ValueError) as error:
            if not self._all:
                raise ValueError(str(error)) from error
            log.error("directory not readable, the last one stays in force", extra={"reason": type(error).__name__})  # noqa: TRY400
        return self._all
