"""Which source the settings ask for: the bulk one, or plain paho."""

from __future__ import annotations

from collections.abc import Sequence

from core.clock import Clock
from core.errors import ConfigurationError
from core.metrics import Metrics
from core.settings import IngestSettings, MqttSettings
from ingest.arrival import Source
from ingest.bulk_source import BulkSource
from ingest.paho_source import PahoSource

__all__ = ["BulkSource", "PahoSource", "new_source"]

_AROUND_PAYLOAD_BYTES = 128 * 1024
_SOURCES: dict[str, type[BulkSource | PahoSource]] = {"bulk": BulkSource, "paho": PahoSource}


def new_source(
    *,
    settings: MqttSettings,
    ingest: IngestSettings,
    client_id: str,
    filters: Sequence[str],
    fact_filters: Sequence[str],
    clock: Clock,
    metrics: Metrics,
) -> Source:
    """Return the source that `mqtt.source` names; not started.

    Args:
        settings: the broker and the session.
        ingest: bounds of a payload.
        client_id: stable name of the session.
        filters: topic filters of the messages that are counted.
        fact_filters: topic filters of retained facts, subscribed beside a shared subscription.
        clock: gives the time of reception.
        metrics: `source_*`.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    least = ingest.max_payload_bytes + _AROUND_PAYLOAD_BYTES
    if settings.max_packet_bytes < least:
        raise ConfigurationError(
            f"setting mqtt.max_packet_bytes is {settings.max_packet_bytes}: it must be at least "
            f"{least}, which is ingest.max_payload_bytes and {_AROUND_PAYLOAD_BYTES} for topic and "
            "properties, so that a payload too large gets a dead letter and not a closed connection"
        )
    return _SOURCES[settings.source](
        settings=settings,
        client_id=client_id,
        filters=filters,
        fact_filters=fact_filters,
        clock=clock,
        metrics=metrics,
    )
