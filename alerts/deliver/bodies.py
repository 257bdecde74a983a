"""Notices as the registry keeps them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from alerts.model import Notice
from devices.registry.alert_records import NoticeRecord

_decoder = msgspec.json.Decoder(Notice)


def record_of(notice: Notice) -> NoticeRecord:
    """Return the order to deliver a notice at once."""
    return NoticeRecord(
        id=notice.id,
        channel=notice.channel,
        occasion=notice.occasion.value,
        created_ns=notice.created_ns,
        body=msgspec.json.encode(notice, enc_hook=_plain).decode(),
        alerts=",".join(view.id for view in notice.alerts),
        next_ns=notice.created_ns,
    )


def notice_of(record: NoticeRecord) -> Notice:
    """Return what a record says.

    Raises:
        ValueError: it is not as `record_of` writes it.
    """
    return _decoder.decode(record.body)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in a notice")
