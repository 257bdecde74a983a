"""What people do to alerts, in whatever process: acknowledge, take that back, silence.

Each is one transaction. Whom it spares a notice is seen by the lifecycle at its next look.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

import msgspec

from alerts.model import Occasion
from core.errors import ConflictError
from devices.registry import Registry
from devices.registry.alert_records import (
    OPEN_STATES,
    AlertEvent,
    AlertEventKind,
    AlertRecord,
    AlertState,
    Silence,
    SilenceKind,
)
from devices.registry.alert_work import AlertWork
from devices.registry.alerts import unknown_alert
from devices.registry.silences import MATCHED, checked_silence

_NAMED = ("site", "building", "zone", "device", "person")
_SPARED = (Occasion.FIRING.value, Occasion.REMINDER.value)


def acknowledge(
    registry: Registry, alert: str, *, by: str, note: str = "", now_ns: int
) -> AlertRecord:
    """Take an alert on: it is neither repeated nor escalated any more; return it.

    Args:
        registry: the registry.
        alert: id of the alert.
        by: who.
        note: what they say.
        now_ns: the present.

    Raises:
        NotFoundError: there is none with that id.
        ConflictError: it does not fire, or somebody looks after it already.
        RegistryUnavailableError: the database does not answer.
    """
    with registry.alerts.work() as work:
        record = _open(work, alert)
        if record.state == AlertState.ACKNOWLEDGED:
            raise ConflictError(f"{record.acknowledged_by} looks after alert {alert} already")
        for one in work.tellings([alert]).get(alert, ()):
            wanted = "" if one.wanted in _SPARED else one.wanted
            work.put_telling(msgspec.structs.replace(one, wanted=wanted, next_ns=None))
        work.events.append(_event(alert, AlertEventKind.ACKNOWLEDGED, by, now_ns, note=note))
        return work.put(
            msgspec.structs.replace(
                record,
                state=AlertState.ACKNOWLEDGED.value,
                acknowledged_ns=now_ns,
                acknowledged_by=by,
                acknowledged_note=note,
            )
        )


def unacknowledge(
    registry: Registry, alert: str, *, by: str, note: str = "", now_ns: int
) -> AlertRecord:
    """Say that nobody looks after an alert: it is repeated and escalated again; return it.

    Raises:
        NotFoundError: there is none with that id.
        ConflictError: it is over, or nobody had acknowledged it.
        RegistryUnavailableError: the database does not answer.
    """
    with registry.alerts.work() as work:
        record = _open(work, alert)
        if record.state != AlertState.ACKNOWLEDGED:
            raise ConflictError(f"nobody acknowledged alert {alert}")
        for one in work.tellings([alert]).get(alert, ()):
            work.put_telling(msgspec.structs.replace(one, since_ns=now_ns, next_ns=now_ns))
        work.events.append(_event(alert, AlertEventKind.UNACKNOWLEDGED, by, now_ns, note=note))
        return work.put(
            msgspec.structs.replace(
                record,
                state=AlertState.FIRING.value,
                acknowledged_ns=None,
                acknowledged_by="",
                acknowledged_note="",
                next_ns=now_ns if not record.flapping else record.next_ns,
            )
        )


def silence_alert(
    registry: Registry,
    alert: str,
    *,
    by: str,
    reason: str,
    until_ns: int,
    now_ns: int,
    kind: SilenceKind = SilenceKind.SILENCE,
) -> Silence:
    """Silence an alert, and what its rule says of the same subject until then; return the silence.

    Raises:
        NotFoundError: there is no alert with that id.
        ConfigurationError: nobody, no reason or no time is given.
        RegistryUnavailableError: the database does not answer.
    """
    record = registry.alerts.get(alert)
    match = {"rule": [record.rule]}
    match |= {name: [value] for name in _NAMED if (value := getattr(record, name))}
    return silence(
        registry, match, by=by, reason=reason, until_ns=until_ns, now_ns=now_ns, kind=kind
    )


def silence(
    registry: Registry,
    match: Mapping[str, Sequence[str]],
    *,
    by: str,
    reason: str,
    until_ns: int,
    now_ns: int,
    from_ns: int | None = None,
    kind: SilenceKind = SilenceKind.SILENCE,
) -> Silence:
    """Have nobody told of some alerts for a while; return the silence.

    Args:
        registry: the registry.
        match: name (`devices.registry.silences.MATCHED`) -> patterns; every name has to fit.
        by: who.
        reason: why.
        until_ns: until when, exclusive.
        now_ns: the present.
        from_ns: since when; None: now.
        kind: a silence, or a maintenance window.

    Raises:
        ConfigurationError: nobody, no reason, no time, or nothing that it matches is given.
        RegistryUnavailableError: the database does not answer.
    """
    ordered = {name: list(match[name]) for name in MATCHED if name in match}
    ordered |= {name: list(some) for name, some in match.items() if name not in ordered}
    made = Silence(
        id=secrets.token_hex(8),
        kind=kind.value,
        match=msgspec.json.encode(ordered).decode(),
        by=by,
        reason=reason,
        created_ns=now_ns,
        start_ns=now_ns if from_ns is None else from_ns,
        end_ns=until_ns,
    )
    return registry.silences.add(checked_silence(made))


def end_silence(registry: Registry, silence: str, *, by: str, now_ns: int) -> Silence:
    """End a silence before its time; what it muted and still fires is told then.

    Raises:
        NotFoundError: there is none with that id.
        ConflictError: it is over already.
        RegistryUnavailableError: the database does not answer.
    """
    return registry.silences.end(silence, by=by, now_ns=now_ns)


def _open(work: AlertWork, alert: str) -> AlertRecord:
    record = work.get(alert)
    if record is None:
        raise unknown_alert(alert)
    if record.state not in OPEN_STATES:
        raise ConflictError(f"alert {alert} does not fire; it is {record.state}")
    return record


def _event(alert: str, kind: AlertEventKind, by: str, now_ns: int, **detail: str) -> AlertEvent:
    said = {name: text for name, text in detail.items() if text}
    return AlertEvent(
        alert=alert,
        time_ns=now_ns,
        kind=kind.value,
        actor=by,
        detail=msgspec.json.encode(said).decode(),
    )
