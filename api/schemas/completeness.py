"""The ledger: every message accounted for."""

from __future__ import annotations

from pydantic import Field

from api.schemas import Schema
from core.clock import NS_PER_S, iso
from devices.registry import LedgerRow


class Counts(Schema):
    """Counts of messages; `received = stored + duplicate + dead_lettered + pending`."""

    received: int = Field(description="Received, each once, however often the broker sent it.")
    stored: int = Field(description="Confirmed by the store.")
    duplicate: int = Field(description="The same message, published again by the device.")
    dead_lettered: int = Field(description="Set aside whole, with a reason.")
    pending: int = Field(description="On a worker's disk, not yet confirmed by the store.")
    redelivered: int = Field(
        description="Sent again by the broker though on disk already; not part of the equation."
    )
    missing: int = Field(
        description="Numbers of the devices' own message counters that never came; not part of the "
        "equation. A message that could not be read (dead-lettered) has no number, so its own is "
        "among them: at least `missing` less `dead_lettered` were lost before Passerelle."
    )
    balanced: bool = Field(description="True when the equation holds.")

    @classmethod
    def of(cls, row: LedgerRow) -> Counts:
        """Return the counts of `row`, with the equation checked."""
        return cls(**counts(row))


class CompletenessRow(Counts):
    """The counts of one hour of one device, or of what `group` names."""

    site: str | None = Field(description="Site; null for the group `total`.")
    device: str | None = Field(
        description="Device, or the external name of one that is not registered; null when "
        "several are counted together."
    )
    hour: str | None = Field(
        description="Start of the UTC hour of reception; null when several are counted together."
    )
    boot: int | None = Field(
        description="Boot counter of the device, -1 when its messages tell none; null when "
        "several are counted together."
    )


class CompletenessAnswer(Schema):
    """A page of the ledger."""

    start: str = Field(description="First hour, inclusive.")
    end: str = Field(description="Last hour, exclusive.")
    as_of: str | None = Field(
        description="Messages received before this are in the counts: the oldest report among "
        "the workers; null when no worker has reported yet."
    )
    totals: Counts = Field(description="Over the whole range and filter, not only this page.")
    rows: list[CompletenessRow]
    next: str | None = Field(description="Address of the next page, or null on the last one.")


def counts(row: LedgerRow) -> dict[str, int | bool]:
    """Return the fields of `Counts` for `row`."""
    accounted = row.stored + row.duplicate + row.dead_lettered + row.pending
    return {
        "received": row.received,
        "stored": row.stored,
        "duplicate": row.duplicate,
        "dead_lettered": row.dead_lettered,
        "pending": row.pending,
        "redelivered": row.redelivered,
        "missing": row.missing,
        "balanced": row.received == accounted,
    }


def completeness_row(
    row: LedgerRow,
    *,
    site: str | None,
    device: str | None,
    hour: int | None,
    boot: int | None = None,
) -> CompletenessRow:
    """Return `row` under the names that its group has; `hour` in seconds since the epoch."""
    return CompletenessRow.model_validate(
        {
            "site": site,
            "device": device,
            "hour": None if hour is None else iso(hour * NS_PER_S),
            "boot": boot,
            **counts(row),
        }
    )


_COUNTS = {
    "received": 60,
    "stored": 57,
    "duplicate": 1,
    "dead_lettered": 2,
    "pending": 0,
    "redelivered": 3,
    "missing": 0,
    "balanced": True,
}
COMPLETENESS_EXAMPLE = {
    "start": "2026-11-23T08:00:00Z",
    "end": "2026-11-23T09:00:00Z",
    "as_of": "2026-11-23T09:00:01.500Z",
    "totals": _COUNTS,
    "rows": [
        {
            "site": "elgazala",
            "device": "elg-env-001",
            "hour": "2026-11-23T08:00:00Z",
            "boot": None,
            **_COUNTS,
        }
    ],
    "next": None,
}


class ValueCount(Schema):
    """How many values of one device lie in one hour."""

    site: str
    device: str
    hour: str = Field(description="Start of the UTC hour of the values' own instants.")
    values: int = Field(description="How many, of all quantities together.")


class ValueCountsAnswer(Schema):
    """A page of counts, by site, device and hour."""

    start: str = Field(description="First instant, inclusive.")
    end: str = Field(description="Last instant, exclusive.")
    keeps_s: int | None = Field(
        description="For how long the store keeps values, seconds; null: for ever."
    )
    rows: list[ValueCount]
    next: str | None = Field(description="Address of the next page, or null on the last one.")


VALUE_COUNTS_EXAMPLE = {
    "start": "2026-11-23T08:00:00Z",
    "end": "2026-11-23T09:00:00Z",
    "keeps_s": None,
    "rows": [
        {
            "site": "elgazala",
            "device": "elg-env-001",
            "hour": "2026-11-23T08:00:00Z",
            "values": 180,
        }
    ],
    "next": None,
}
