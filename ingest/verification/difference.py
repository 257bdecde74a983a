"""What a check of the account can find, and what a person makes of it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ingest.ledger import Account


class Kind(StrEnum):
    """Which two sides of the account differ."""

    EQUATION = "equation"
    PENDING = "pending"
    BATCH_GONE = "batch_gone"
    DEAD_LETTERED = "dead_lettered"
    LETTERS_OPEN = "letters_open"
    REGISTRY_ROW = "registry_row"
    REGISTRY_LACKS_ROW = "registry_lacks_row"
    SPOOL_LACKS_ROW = "spool_lacks_row"
    REGISTRY_LETTER = "registry_letter"
    REGISTRY_LACKS_LETTER = "registry_lacks_letter"
    SPOOL_LACKS_LETTER = "spool_lacks_letter"
    VALUES_MISSING = "values_missing"
    VALUES_EXTRA = "values_extra"


class Side(msgspec.Struct, frozen=True):
    """One side of a difference.

    Attributes:
        where: who says it.
        says: the figure, or a word.
    """

    where: str
    says: int | str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Two sides of the account that should be equal and are not.

    Attributes:
        kind: which sides.
        worker: whose account; "" when it is about the store.
        site: site, or "".
        device: device, or "".
        hour: UTC hour of reception, seconds since the epoch; None: of no single hour. For values
            the hour in which most are missing or too many.
        boot: boot counter; None: of no single boot.
        what: which row, batch or dead letter, for a person.
        one: a side.
        other: the other side.
    """

    kind: Kind
    worker: str = ""
    site: str = ""
    device: str = ""
    hour: int | None = None
    boot: int | None = None
    what: str
    one: Side
    other: Side

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it again when it is looked for a second time: which sides, of what."""
        whole = (self.kind, self.worker, self.site, self.device)
        return whole if self.kind in _MOVING else (*whole, self.hour, self.boot, self.what)

    @property
    def cause(self) -> str:
        """What most likely happened."""
        return _MEANING[self.kind][0]

    @property
    def advice(self) -> str:
        """What to do."""
        return _MEANING[self.kind][1]


def of_row(kind: Kind, worker: str, account: Account, one: Side, other: Side) -> Difference:
    """Return a difference about one row of the ledger."""
    return Difference(
        kind=kind,
        worker=worker,
        site=account.site,
        device=account.device,
        hour=account.hour,
        boot=account.boot,
        what="ledger row",
        one=one,
        other=other,
    )


_MOVING = (Kind.BATCH_GONE, Kind.LETTERS_OPEN, Kind.VALUES_MISSING, Kind.VALUES_EXTRA)
"""Of these the figures and the hour may change while messages flow; the difference is the same."""
_REPUBLISH = (
    "if the spool is right, stop the worker, set the cursors report_ledger and "
    "report_dead_letters of its spool to 0 and start it: it tells the registry everything again "
    "(docs/account.md)"
)
_MEANING: dict[Kind, tuple[str, str]] = {
    Kind.EQUATION: (
        "a count of this row was changed by hand, or by a defect",
        "keep a copy of the file or database, and report it with this output",
    ),
    Kind.PENDING: (
        "a batch was deleted from the spool or changed, or the count of the row was",
        (
            "stop the worker and keep a copy of the spool; messages of a batch that is gone are "
            "in no other place than the device: ask it to send them again, or restore "
            "the spool's backup"
        ),
    ),
    Kind.BATCH_GONE: (
        "a batch that the store had not confirmed was deleted from the spool",
        (
            "stop the worker and keep a copy of the spool; its messages are counted as pending "
            "and will never be stored: ask the devices to send them again, or restore the spool's "
            "backup"
        ),
    ),
    Kind.DEAD_LETTERED: (
        "a dead letter was deleted from the spool, or the count of the row was changed",
        (
            "look for it in the registry (passerelle dead-letters list --state all), where a copy "
            "of its payload may be; restore the spool's backup if it is worth it"
        ),
    ),
    Kind.LETTERS_OPEN: (
        "dead letters were deleted from the spool past its own counting",
        "compare with passerelle dead-letters list --state open",
    ),
    Kind.REGISTRY_ROW: (
        "the row was changed by hand in one of the two, or one was restored from a backup",
        _REPUBLISH,
    ),
    Kind.REGISTRY_LACKS_ROW: (
        "the row was deleted from the registry, or the registry was restored from a backup",
        _REPUBLISH,
    ),
    Kind.SPOOL_LACKS_ROW: (
        (
            "the row was deleted from the spool, or the spool was set aside, or replaced by an "
            "older copy"
        ),
        "look for a spool that was set aside beside it; what the registry says is then the account",
    ),
    Kind.REGISTRY_LETTER: (
        "the dead letter was changed by hand in one of the two, or one was restored",
        _REPUBLISH,
    ),
    Kind.REGISTRY_LACKS_LETTER: (
        "the dead letter was deleted from the registry, or the registry was restored",
        _REPUBLISH,
    ),
    Kind.SPOOL_LACKS_LETTER: (
        "the dead letter was deleted from the spool, or the spool was replaced",
        (
            "its copy is in the registry: passerelle dead-letters show; it cannot be replayed any "
            "more, export its payload and publish it"
        ),
    ),
    Kind.VALUES_MISSING: (
        (
            "values were deleted from the store, or the store was emptied, restored or exchanged "
            "(or, where it keeps values for a time, they were measured long before they were "
            "received)"
        ),
        "restore the store's backup, or publish the payloads again where they are kept",
    ),
    Kind.VALUES_EXTRA: (
        (
            "something else writes into the store, or a spool was set aside or replaced after its "
            "messages were stored"
        ),
        "find who else has the store's credentials; values of another source belong elsewhere",
    ),
}
