"""What is told of a raw archive: workers tell it, the API shows it."""

from __future__ import annotations

import msgspec

ARCHIVE_FACT = "archive"
"""Name under which a worker's report holds its raw archive, when it has one."""


class ArchiveReport(msgspec.Struct, frozen=True):
    """The raw archive of one worker at one moment.

    Attributes:
        bytes: its size.
        outage: why it cannot be written, or empty.
        holds: whether nothing is acknowledged for that reason.
        not_kept: messages that went on without it since it was last written.
    """

    bytes: int
    outage: str
    holds: bool
    not_kept: int
