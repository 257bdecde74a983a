"""Every Prometheus metric of every stage, named in one place (`docs/metrics.md` lists them)."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from core.alert_metrics import AlertMetrics


class Metrics:
    """The metrics of one process.

    Args:
        registry: where they are registered; a test gives its own.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = r = registry or CollectorRegistry()
        self.received = Counter(
            "passerelle_source_messages", "Messages handed over by the broker.", registry=r
        )
        self.source_connected = Gauge(
            "passerelle_source_connected", "1 while connected to the broker.", registry=r
        )
        self.source_queue = Gauge(
            "passerelle_source_queue_messages", "Messages received, not yet committed.", registry=r
        )
        self.reconnects = Counter(
            "passerelle_source_connections", "Connections made to the broker.", registry=r
        )
        self.redelivered = Counter(
            "passerelle_source_redelivered_messages",
            "Messages that the broker sent again and that were on disk already.",
            registry=r,
        )
        self.decoded = Counter(
            "passerelle_decode_messages", "Messages decoded.", ["profile"], registry=r
        )
        self.dead_letters = Counter(
            "passerelle_dead_letters", "Dead letters written.", ["scope", "reason"], registry=r
        )
        self.dead_letters_open = Gauge(
            "passerelle_dead_letters_open", "Dead letters that are open.", registry=r
        )
        self.dead_letters_bytes = Gauge(
            "passerelle_dead_letters_bytes", "Size of the payloads of the open ones.", registry=r
        )
        self.dead_letters_limit_bytes = Gauge(
            "passerelle_dead_letters_limit_bytes",
            "Size at which they are full: dead_letters.max_bytes.",
            registry=r,
        )
        self.dead_letters_discarded = Counter(
            "passerelle_dead_letters_discarded",
            "Dead letters whose payload was let go: by the operator, or by a bound.",
            ["by"],
            registry=r,
        )
        self.rollup_marked = Gauge(
            "passerelle_rollup_marked_hours",
            "Hours of devices whose values changed since they were rolled up.",
            registry=r,
        )
        self.rollup_hours = Counter(
            "passerelle_rollup_hours", "Hours of devices rolled up again.", registry=r
        )
        self.duplicates = Counter(
            "passerelle_duplicate_messages", "Messages that devices published twice.", registry=r
        )
        self.commits = Histogram(
            "passerelle_spool_commit_seconds", "Time of one spool transaction.", registry=r
        )
        self.committed = Counter(
            "passerelle_spool_messages", "Messages committed to the spool.", registry=r
        )
        self.spool_bytes = Gauge(
            "passerelle_spool_pending_bytes", "Size of the pending messages.", registry=r
        )
        self.spool_pending = Gauge(
            "passerelle_spool_pending_messages", "Messages on disk, not yet stored.", registry=r
        )
        self.spools_set_aside = Gauge(
            "passerelle_spools_set_aside",
            "Damaged spool files of this worker that wait for `passerelle spool salvage`.",
            registry=r,
        )
        self.spool_full = Gauge(
            "passerelle_spool_full",
            "1 while acknowledging has stopped for lack of room.",
            registry=r,
        )
        self.acknowledged = Counter(
            "passerelle_accept_acknowledged_messages", "PUBACKs sent.", registry=r
        )
        self.stored = Counter(
            "passerelle_drain_stored_messages", "Messages confirmed by the store.", registry=r
        )
        self.stored_points = Counter(
            "passerelle_drain_stored_points", "Points confirmed by the store.", registry=r
        )
        self.writes = Histogram(
            "passerelle_drain_write_seconds", "Time of one write to a sink.", ["sink"], registry=r
        )
        self.retries = Counter(
            "passerelle_drain_retries", "Writes that a sink asked to repeat.", ["sink"], registry=r
        )
        self.sink_state = Gauge(
            "passerelle_drain_state",
            "Circuit of a sink: 0 closed, 1 half open, 2 open.",
            ["sink"],
            registry=r,
        )
        self.sink_lag_messages = Gauge(
            "passerelle_drain_lag_messages", "Messages that wait for a sink.", ["sink"], registry=r
        )
        self.sink_lag_bytes = Gauge(
            "passerelle_drain_lag_bytes", "Size of what waits for a sink.", ["sink"], registry=r
        )
        self.sink_lag_seconds = Gauge(
            "passerelle_drain_lag_seconds",
            "How long the oldest message waits for a sink.",
            ["sink"],
            registry=r,
        )
        self.sink_written_messages = Counter(
            "passerelle_drain_written_messages",
            "Messages confirmed by a sink.",
            ["sink"],
            registry=r,
        )
        self.sink_written_points = Counter(
            "passerelle_drain_written_points", "Points confirmed by a sink.", ["sink"], registry=r
        )
        self.sink_skipped = Counter(
            "passerelle_drain_skipped_messages",
            "Messages that a sink was not given, because it was behind its bound.",
            ["sink"],
            registry=r,
        )
        self.sink_missed = Gauge(
            "passerelle_drain_missed_messages",
            "Messages that a sink was not given and that were not refilled.",
            ["sink"],
            registry=r,
        )
        self.archive_messages = Counter(
            "passerelle_archive_messages", "Messages kept in the raw archive.", registry=r
        )
        self.archive_skipped = Counter(
            "passerelle_archive_skipped_messages",
            "Messages that the raw archive could not keep and that went on without it.",
            registry=r,
        )
        self.archive_failing = Gauge(
            "passerelle_archive_failing", "1 while the raw archive cannot be written.", registry=r
        )
        self.archive_bytes = Gauge(
            "passerelle_archive_bytes", "Size of the raw archive.", registry=r
        )
        self.archive_oldest = Gauge(
            "passerelle_archive_oldest_timestamp_seconds",
            "Begin of the oldest hour that is kept, Unix time; 0: none is.",
            registry=r,
        )
        self.archive_writes = Histogram(
            "passerelle_archive_write_seconds", "Time to keep one batch.", registry=r
        )
        self.archive_removed = Counter(
            "passerelle_archive_removed_segments",
            "Files of the raw archive removed, for their age or for its size.",
            ["by"],
            registry=r,
        )
        self.reported = Gauge(
            "passerelle_report_age_seconds", "Age of the ledger last published.", registry=r
        )
        self.exports = Counter(
            "passerelle_exports",
            "Exports ended: by a stream, a job or a snapshot; complete, failed or cancelled.",
            ["kind", "outcome"],
            registry=r,
        )
        self.export_rows = Counter(
            "passerelle_export_rows", "Rows written into exports.", ["kind"], registry=r
        )
        self.export_bytes = Counter(
            "passerelle_export_bytes", "Bytes written into exports.", ["kind"], registry=r
        )
        self.exports_active = Gauge(
            "passerelle_exports_active", "Exports under way.", ["kind"], registry=r
        )
        self.http_requests = Counter(
            "passerelle_api_requests",
            "HTTP requests answered.",
            ["method", "route", "status"],
            registry=r,
        )
        self.rate_limited, self.audit_entries, self.audit_unwritten = _guards(r)
        self.live, self.alerts = LiveMetrics(r), AlertMetrics(r)
        self.http_seconds = Histogram(
            "passerelle_api_request_seconds", "Time of one HTTP request.", ["route"], registry=r
        )


PROCESS_REGISTRY = REGISTRY
"""prometheus-client's own registry, with the process and Python metrics."""


def _guards(registry: CollectorRegistry) -> tuple[Counter, Counter, Counter]:
    rate_limited = Counter(
        "passerelle_api_rate_limited",
        "Requests refused with 429: the key asked too often, or the address guessed keys.",
        ["bound"],
        registry=registry,
    )
    written = Counter(
        "passerelle_api_audit_entries",
        "Rows written to the audit: vital signs read, requests refused, rights changed.",
        ["event"],
        registry=registry,
    )
    unwritten = Counter(
        "passerelle_api_audit_unwritten",
        "Rows that could not be written to the audit; reads of vital signs were refused.",
        ["event"],
        registry=registry,
    )
    return rate_limited, written, unwritten


class LiveMetrics:
    """Those of the live stream."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.frames = Counter(
            "passerelle_live_frames", "Batches told on the live stream.", registry=registry
        )
        self.dropped = Counter(
            "passerelle_live_dropped",
            "Batches not told on the live stream: the broker was away or slow.",
            registry=registry,
        )
        self.missed = Counter(
            "passerelle_live_missed",
            "Times that readers of the API were told that they missed something, by reason.",
            ["reason"],
            registry=registry,
        )
        self.readers = Gauge(
            "passerelle_live_readers",
            "Readers of the live stream now.",
            ["kind"],
            registry=registry,
        )
