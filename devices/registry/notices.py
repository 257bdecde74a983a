"""Notices: orders to tell somebody something, written before anybody is told.

`order` writes them in the transaction of whatever they tell of. An attempt is committed as STARTED
before anything is sent, and what became of it afterwards: a process that dies in between leaves a
trace, and `recover` has the notice tried again. So each notice arrives; it arrives twice only when
a process died between sending and writing that down.

With `holder` every change checks in its own transaction that the lease `alerts` is still held: a
process that was thought dead and wakes up begins nothing and finishes nothing.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select, update

from core.errors import ConflictError, NotFoundError
from devices.registry.alert_records import Attempt, AttemptOutcome, NoticeRecord, NoticeState
from devices.registry.database import Database
from devices.registry.leases import check_held
from devices.registry.notice_tables import alert_attempts, alert_notice_alerts, alert_notices
from devices.registry.rows import insert_rows
from devices.registry.text import clipped, storable

LEASE = "alerts"
"""The lease of the process that judges rules and tells people."""
_LONGEST_TOLD = 2000


class NoticeFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which notices: those that fit everything that is given.

    Attributes:
        alert: id of an alert that they tell of.
        channel: name of the channel.
        states: `NoticeState`; empty: any.
        occasion: `alerts.model.Occasion`.
        since_ns: ordered at it or later.
        until_ns: ordered before it.
    """

    alert: str | None = None
    channel: str | None = None
    states: tuple[str, ...] = ()
    occasion: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None


class Waiting(msgspec.Struct, frozen=True):
    """What waits for a channel.

    Attributes:
        count: how many notices.
        oldest_ns: when the oldest one was ordered.
        next_ns: when the first one is due.
    """

    count: int
    oldest_ns: int
    next_ns: int


def order(connection: Connection, records: Sequence[NoticeRecord]) -> None:
    """Write orders in a transaction of the caller's; those that are there already stay as they are.

    Raises:
        ConfigurationError: a text is too long for its column.
    """
    if not records:
        return
    wanted = {one.id: one for one in records}
    there = set(
        connection.execute(
            select(alert_notices.c.id).where(alert_notices.c.id.in_(wanted))
        ).scalars()
    )
    new = [one for name, one in wanted.items() if name not in there]
    insert_rows(connection, alert_notices, [msgspec.structs.asdict(one) for one in new])
    links = [
        {"alert": alert, "notice": one.id} for one in new for alert in sorted(_alerts(one.alerts))
    ]
    insert_rows(connection, alert_notice_alerts, links)


class NoticeRepository:
    """The notices of the registry, and the attempts to deliver them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, records: Sequence[NoticeRecord]) -> None:
        """Write orders that belong to no other change; those that are there stay as they are."""
        with self._database.change() as connection:
            order(connection, records)

    def get(self, notice: str) -> NoticeRecord:
        """Return one.

        Raises:
            NotFoundError: there is none with that id.
        """
        query = select(alert_notices).where(alert_notices.c.id == storable(notice))
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise _unknown(notice)
        return _record(row)

    def due(
        self, now_ns: int, limit: int, *, channel: str | None = None
    ) -> builtins.list[NoticeRecord]:
        """Return notices to be delivered now, the oldest order first.

        One waits for those ordered before it that tell the same channel of the same alert: nobody
        reads that an alert is over before that it began. One that is being delivered is not due.

        Args:
            now_ns: the present.
            limit: at most.
            channel: of this one only.
        """
        columns = alert_notices.c
        query = (
            select(alert_notices)
            .where(
                columns.state == NoticeState.WAITING.value,
                columns.next_ns <= now_ns,
                ~_under_way(),
                ~_later_than_another(),
            )
            .order_by(columns.created_ns, columns.id)
            .limit(limit)
        )
        if channel is not None:
            query = query.where(columns.channel == channel)
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def waiting(self) -> Mapping[str, Waiting]:
        """Return what waits, by channel."""
        columns = alert_notices.c
        query = (
            select(
                columns.channel,
                func.count(),
                func.min(columns.created_ns),
                func.min(columns.next_ns),
            )
            .where(columns.state == NoticeState.WAITING.value)
            .group_by(columns.channel)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {channel: Waiting(count, oldest, due) for channel, count, oldest, due in rows}

    def delivered_since(self, channel: str, since_ns: int) -> builtins.list[int]:
        """Return when notices were delivered through a channel, since an instant, in order."""
        columns = alert_notices.c
        query = (
            select(columns.finished_ns)
            .where(
                columns.channel == channel,
                columns.finished_ns >= since_ns,
                columns.state == NoticeState.DELIVERED.value,
            )
            .order_by(columns.finished_ns)
        )
        with self._database.read() as connection:
            return builtins.list(connection.execute(query).scalars())

    def begin(self, notice: str, now_ns: int, *, holder: str | None = None) -> Attempt:
        """Begin an attempt: it is on disk, as STARTED, before anything may be sent.

        Raises:
            ConflictError: the notice does not wait any more, or another attempt goes on.
            LeaseLostError: another process delivers notices by now.
        """
        columns = alert_notices.c
        with self._database.write() as connection:
            _fence(connection, holder)
            # Locked first and read afterwards: who waited for the lock sees what the other did.
            mine = select(columns.id).where(columns.id == notice)
            connection.execute(mine.with_for_update())
            row = connection.execute(
                select(columns.state, columns.attempts, _under_way()).where(columns.id == notice)
            ).first()
            if row is None:
                raise _unknown(notice)
            state, attempts, under_way = row
            if state != NoticeState.WAITING.value or under_way:
                what = "is being delivered" if under_way else f"is {state}"
                raise ConflictError(f"notice {notice} {what}; nothing is to be sent")
            attempt = Attempt(notice=notice, number=attempts + 1, started_ns=now_ns)
            insert_rows(connection, alert_attempts, [msgspec.structs.asdict(attempt)])
            connection.execute(
                update(alert_notices).where(columns.id == notice).values(attempts=attempt.number)
            )
        return attempt

    def finish(
        self,
        attempt: Attempt,
        outcome: AttemptOutcome,
        *,
        detail: str,
        next_ns: int | None,
        now_ns: int,
        holder: str | None = None,
    ) -> None:
        """Write down what became of an attempt.

        Args:
            attempt: as `begin` gave it.
            outcome: DELIVERED, RETRY or REFUSED.
            detail: what the channel answered.
            next_ns: when it is tried again, after RETRY; None: never, it is given up.
            now_ns: the present.
            holder: see the module.

        Raises:
            ConflictError: the attempt was taken for dead, and its notice is tried again.
            LeaseLostError: another process delivers notices by now.
        """
        told = clipped(detail, _LONGEST_TOLD)
        notice, columns = attempt.notice, alert_attempts.c
        with self._database.write() as connection:
            _fence(connection, holder)
            changed = connection.execute(
                update(alert_attempts)
                .where(
                    columns.notice == notice,
                    columns.number == attempt.number,
                    columns.outcome == AttemptOutcome.STARTED.value,
                )
                .values(outcome=outcome.value, finished_ns=now_ns, detail=told)
            )
            if changed.rowcount != 1:
                raise ConflictError(
                    f"attempt {attempt.number} at notice {notice} is not under way any more"
                )
            if outcome is AttemptOutcome.DELIVERED:
                values = _ended(NoticeState.DELIVERED, "", now_ns)
            elif outcome is AttemptOutcome.RETRY and next_ns is not None:
                values = {"next_ns": next_ns, "error": told}
            else:
                values = _ended(NoticeState.FAILED, told, now_ns)
            connection.execute(
                update(alert_notices).where(alert_notices.c.id == notice).values(values)
            )

    def give_up(
        self, notices: Iterable[str], error: str, now_ns: int, *, holder: str | None = None
    ) -> int:
        """Let notices that wait fail without an attempt; return how many did.

        Raises:
            LeaseLostError: another process delivers notices by now.
        """
        columns = alert_notices.c
        with self._database.write() as connection:
            _fence(connection, holder)
            return connection.execute(
                update(alert_notices)
                .where(
                    columns.id.in_(builtins.list(notices)),
                    columns.state == NoticeState.WAITING.value,
                )
                .values(_ended(NoticeState.FAILED, clipped(error, _LONGEST_TOLD), now_ns))
            ).rowcount

    def hasten(self, channel: str, now_ns: int, *, holder: str | None = None) -> int:
        """Have tried now what waits for a later attempt: the channel works again.

        Raises:
            LeaseLostError: another process delivers notices by now.
        """
        columns = alert_notices.c
        with self._database.write() as connection:
            _fence(connection, holder)
            return connection.execute(
                update(alert_notices)
                .where(
                    columns.channel == channel,
                    columns.state == NoticeState.WAITING.value,
                    columns.next_ns > now_ns,
                )
                .values(next_ns=now_ns)
            ).rowcount

    def recover(self, now_ns: int, *, holder: str | None = None) -> int:
        """Have tried again, at once, what was under way when its process died; return how many.

        Only the process that alone delivers notices may call this, before it begins.

        Raises:
            LeaseLostError: another process delivers notices by now.
        """
        columns = alert_attempts.c
        with self._database.change() as connection:
            _fence(connection, holder)
            found = builtins.list(
                connection.execute(
                    select(columns.notice).where(columns.outcome == AttemptOutcome.STARTED.value)
                ).scalars()
            )
            connection.execute(
                update(alert_attempts)
                .where(columns.outcome == AttemptOutcome.STARTED.value)
                .values(
                    outcome=AttemptOutcome.UNKNOWN.value,
                    finished_ns=now_ns,
                    detail="the process ended in the middle of it; whether it arrived is not known",
                )
            )
            connection.execute(
                update(alert_notices)
                .where(
                    alert_notices.c.id.in_(found),
                    alert_notices.c.state == NoticeState.WAITING.value,
                )
                .values(next_ns=now_ns)
            )
        return len(found)

    def list(
        self, wanted: NoticeFilter, *, limit: int, after: tuple[int, str] | None = None
    ) -> builtins.list[NoticeRecord]:
        """Return notices, the newest order first.

        Args:
            wanted: which.
            limit: at most.
            after: (created_ns, id) at which the page before ended.
        """
        columns = alert_notices.c
        query = select(alert_notices).where(*_conditions(wanted))
        if after is not None:
            created_ns, notice = after
            query = query.where(
                or_(
                    columns.created_ns < created_ns,
                    and_(columns.created_ns == created_ns, columns.id < storable(notice)),
                )
            )
        query = query.order_by(columns.created_ns.desc(), columns.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def attempts(self, notice: str) -> builtins.list[Attempt]:
        """Return the attempts at a notice, the first one first."""
        columns = alert_attempts.c
        query = (
            select(alert_attempts)
            .where(columns.notice == storable(notice))
            .order_by(columns.number)
        )
        with self._database.read() as connection:
            return [Attempt(**dict(row)) for row in connection.execute(query).mappings()]


def _fence(connection: Connection, holder: str | None) -> None:
    if holder is not None:
        check_held(connection, LEASE, holder=holder)


def _ended(state: NoticeState, error: str, now_ns: int) -> dict[str, Any]:
    return {"state": state.value, "error": error, "finished_ns": now_ns}


def _under_way() -> ColumnElement[bool]:
    return exists().where(
        alert_attempts.c.notice == alert_notices.c.id,
        alert_attempts.c.outcome == AttemptOutcome.STARTED.value,
    )


def _later_than_another() -> ColumnElement[bool]:
    """Another one that waits was ordered before, for the same channel and one of its alerts."""
    mine, theirs = alert_notice_alerts.alias("mine"), alert_notice_alerts.alias("theirs")
    other = alert_notices.alias("other")
    return exists().where(
        mine.c.notice == alert_notices.c.id,
        theirs.c.alert == mine.c.alert,
        other.c.id == theirs.c.notice,
        other.c.state == NoticeState.WAITING.value,
        other.c.channel == alert_notices.c.channel,
        or_(
            other.c.created_ns < alert_notices.c.created_ns,
            and_(
                other.c.created_ns == alert_notices.c.created_ns,
                other.c.id < alert_notices.c.id,
            ),
        ),
    )


def _conditions(wanted: NoticeFilter) -> builtins.list[ColumnElement[bool]]:
    columns = alert_notices.c
    found: builtins.list[ColumnElement[bool]] = []
    if wanted.alert is not None:
        links = alert_notice_alerts.c
        of_alert = select(links.notice).where(links.alert == storable(wanted.alert))
        found.append(columns.id.in_(of_alert))
    if wanted.channel is not None:
        found.append(columns.channel == storable(wanted.channel))
    if wanted.states:
        found.append(columns.state.in_(wanted.states))
    if wanted.occasion is not None:
        found.append(columns.occasion == storable(wanted.occasion))
    if wanted.since_ns is not None:
        found.append(columns.created_ns >= wanted.since_ns)
    if wanted.until_ns is not None:
        found.append(columns.created_ns < wanted.until_ns)
    return found


def _alerts(joined: str) -> set[str]:
    return {one for one in joined.split(",") if one}


def _unknown(notice: str) -> NotFoundError:
    return NotFoundError(f"there is no notice {notice[:80]!r}")


def _record(row: Mapping[Any, Any]) -> NoticeRecord:
    return NoticeRecord(**dict(row))
