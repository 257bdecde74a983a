"""Dead letters: the raw bytes, where they came from, and a reason that a person can read.

A dead letter of scope `message` is the message's fate; one of scope `field` is beside a message
that was stored without that field; one of scope `points` holds points that the store refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from core.message import Defect, RawMessage
from core.reading import Point
from core.reasons import Reason, Scope
from devices.registry.records import DeadLetter
from ingest.arrival import Arrival
from ingest.ledger import Account
from ingest.letter_store import LetterEnd
from ingest.spool import KeptDeadLetter, NewDeadLetter

_MAX_DETAIL = 500
_MAX_DEFECTS = 20
_POINTS = msgspec.json.Decoder(tuple[Point, ...])


def of_message(
    arrival: Arrival, account: Account, *, profile: str, defect: Defect
) -> NewDeadLetter:
    """Return the dead letter of a message that is set aside whole."""
    return _letter(arrival, account, profile, defect, Scope.MESSAGE)


def of_fields(
    arrival: Arrival, account: Account, *, profile: str, defects: Sequence[Defect]
) -> list[NewDeadLetter]:
    """Return a dead letter for each kind of defect of a message that is stored without them."""
    by_reason: dict[str, list[str]] = {}
    for defect in defects:
        by_reason.setdefault(defect.reason, []).append(defect.detail)
    letters = []
    for reason, details in by_reason.items():
        shown = "; ".join(details[:_MAX_DEFECTS])
        if len(details) > _MAX_DEFECTS:
            shown += f"; and {len(details) - _MAX_DEFECTS} more"
        letters.append(_letter(arrival, account, profile, Defect(reason, shown), Scope.FIELD))
    return letters


def of_points(
    points: Sequence[Point],
    account: Account,
    *,
    detail: str,
    now_ns: int,
    counted: bool,
    sink: str = "",
) -> NewDeadLetter:
    """Return the dead letter of points of one message that the store or a further sink refused.

    Args:
        points: the refused ones.
        account: the message's.
        detail: what the store said.
        now_ns: when it refused.
        counted: True when they are all of the message, which is dead-lettered by it.
        sink: name of the further sink that refused them; empty: the store did.
    """
    said = f"the sink {sink}: {detail}" if sink else detail
    return NewDeadLetter(
        scope=Scope.POINTS,
        reason=Reason.STORE_REFUSED,
        detail=said[:_MAX_DETAIL],
        account=account,
        profile="",
        topic=b"",
        payload=msgspec.json.encode(points),
        properties={"sink": sink} if sink else {},
        received_ns=now_ns,
        counted=counted,
    )


def points_of(letter: NewDeadLetter) -> tuple[Point, ...]:
    """Return the points of a dead letter of scope `points`."""
    return _POINTS.decode(letter.payload)


def arrival_of(letter: NewDeadLetter) -> Arrival:
    """Return the message of a dead letter, to be judged again."""
    return Arrival(
        topic=letter.topic,
        payload=letter.payload,
        received_ns=letter.received_ns,
        properties=letter.properties,
    )


def raw_message(arrival: Arrival, topic: str) -> RawMessage:
    """Return the arrival as the decoder sees it."""
    return RawMessage(
        topic=topic,
        payload=arrival.payload,
        received_ns=arrival.received_ns,
        retained=arrival.retain,
        properties=arrival.properties,
    )


def record(kept: KeptDeadLetter, *, worker: str, end: LetterEnd | None = None) -> DeadLetter:
    """Return the dead letter as the registry shows it.

    Args:
        kept: as the spool keeps it.
        worker: whose spool.
        end: how it ended; None while it is open.
    """
    letter = kept.letter
    return DeadLetter(
        id=f"{worker}-{kept.id}",
        worker=worker,
        scope=letter.scope,
        reason=letter.reason,
        detail=letter.detail,
        site=letter.account.site,
        device=letter.account.device,
        profile=letter.profile,
        topic=letter.topic.decode(errors="backslashreplace"),
        payload=letter.payload,
        properties=letter.properties,
        received_ns=letter.received_ns,
        state=kept.state,
        attempts=kept.attempts,
        updated_ns=kept.updated_ns,
        size=len(letter.payload) if end is None else end.size,
        settled_by="" if end is None else end.by,
        settled_why="" if end is None else end.why,
    )


def number_of(identifier: str) -> int:
    """Return the worker's own number of the dead letter called `identifier`."""
    return int(identifier.rpartition("-")[2])


def _letter(
    arrival: Arrival, account: Account, profile: str, defect: Defect, scope: Scope
) -> NewDeadLetter:
    return NewDeadLetter(
        scope=scope,
        reason=defect.reason,
        detail=defect.detail[:_MAX_DETAIL],
        account=account,
        profile=profile,
        topic=arrival.topic,
        payload=arrival.payload,
        properties=arrival.properties,
        received_ns=arrival.received_ns,
        counted=scope is Scope.MESSAGE,
    )
