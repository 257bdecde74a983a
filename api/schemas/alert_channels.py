"""Channels through which people are told, and whether they work."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from alerts.deliver.spec import ChannelSpec
from api.parameters import UTC
from api.schemas import Schema
from api.times import in_zone
from devices.registry.alert_records import Attempt
from devices.registry.notices import Waiting


class ChannelAnswer(Schema):
    """A channel of the policy."""

    name: str
    kind: str = Field(description="`url` (Apprise), `webhook` or `mqtt`.")
    address: str = Field(description="Without what is secret.")
    language: str = Field(description="`en`, `fr` or `both`.")
    short: bool = Field(description="True: one line of at most 160 characters (SMS).")
    health: str = Field(description="What it tells of vital signs: `hidden` or `shown`.")
    per_hour: int | None = Field(description="Most notices an hour, or null: any number.")
    up: bool | None = Field(
        description="Whether the newest attempt that ended was delivered; null: there was none."
    )
    last_attempt: str | None = Field(description="When that attempt began, or null.")
    last_outcome: str | None = Field(description="What came of it, or null.")
    last_detail: str = Field(description="What the receiver answered, or empty.")
    last_delivered: str | None = Field(description="When a notice was last delivered, or null.")
    waiting: int = Field(description="Notices that wait.")
    waiting_since: str | None = Field(description="When the oldest of these was ordered, or null.")

    @classmethod
    def of(
        cls,
        spec: ChannelSpec,
        *,
        last: Attempt | None,
        delivered_ns: int | None,
        waiting: Waiting | None,
    ) -> ChannelAnswer:
        """Return what the API says of a channel."""
        return cls(
            name=spec.name,
            kind=spec.kind.value,
            address=spec.masked,
            language=spec.language.value,
            short=spec.short,
            health=spec.health.value,
            per_hour=spec.per_hour,
            up=None if last is None else last.outcome == "delivered",
            last_attempt=None if last is None else in_zone(last.started_ns, UTC),
            last_outcome=None if last is None else last.outcome,
            last_detail="" if last is None else spec.scrubbed(last.detail),
            last_delivered=None if delivered_ns is None else in_zone(delivered_ns, UTC),
            waiting=0 if waiting is None else waiting.count,
            waiting_since=None if waiting is None else in_zone(waiting.oldest_ns, UTC),
        )


class ChannelsAnswer(Schema):
    """Every channel of the policy, by name."""

    channels: list[ChannelAnswer]
    problem: str | None = Field(
        description="Why the policy cannot be read by this process, or null."
    )


class TestOrdered(Schema):
    """A notice that tries a channel was ordered."""

    __test__ = False  # pytest takes the name for a test's

    notice: str = Field(description="Its identifier: it stands in what is received.")
    channel: str
    created: str = Field(description="When (RFC 3339, UTC).")


CHANNELS_EXAMPLE: dict[str, Any] = {
    "channels": [
        {
            "name": "facilities-mail",
            "kind": "url",
            "address": "mailtos://***",
            "language": "both",
            "short": False,
            "health": "hidden",
            "per_hour": 60,
            "up": True,
            "last_attempt": "2026-11-23T08:05:00.6Z",
            "last_outcome": "delivered",
            "last_detail": "250 OK",
            "last_delivered": "2026-11-23T08:05:01Z",
            "waiting": 0,
            "waiting_since": None,
        }
    ],
    "problem": None,
}
TEST_EXAMPLE = {
    "notice": "test-8d1f0a3c5e7b9d2f",
    "channel": "facilities-mail",
    "created": "2026-11-23T08:10:00Z",
}
