"""What decoding the raw archive again did to the store, which the ledger does not count.

The journal beside each archive says how many values each run added and deleted, not which: so many
more or fewer are allowed of every device that the run may have concerned. Of a run that has no end
in the journal, nothing is known: the values of its devices cannot be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from ingest.redecode_journal import JournalLine, lines_of
from ingest.verification.snapshot import Device


class Rewriting(msgspec.Struct, frozen=True):
    """What all runs did that may have concerned a device.

    Attributes:
        added: values, at most, that the ledger does not know.
        deleted: values, at most, that the ledger still counts.
        known: False when a run was interrupted or is under way.
    """

    added: int = 0
    deleted: int = 0
    known: bool = True


def read_journals(archives: Sequence[Path]) -> list[JournalLine]:
    """Return what the journals beside some archives say.

    Raises:
        OSError: one cannot be read.
        msgspec.MsgspecError: one holds a line that no run wrote.
    """
    return [line for archive in archives for line in lines_of(archive)]


def rewriting_of(device: Device, lines: Sequence[JournalLine]) -> Rewriting:
    """Return what the runs did that may have concerned a device."""
    mine = [
        line for line in lines if line.site in ("", device[0]) and line.device in ("", device[1])
    ]
    ended = {line.run for line in mine if line.event == "done"}
    return Rewriting(
        added=sum(line.added for line in mine),
        deleted=sum(line.deleted for line in mine),
        known=all(line.run in ended for line in mine),
    )
