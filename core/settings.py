"""Every setting of every program, read from the environment, `.env` and `passerelle.toml`.

Order, strongest first: arguments of the program, environment variables (`PASSERELLE_MQTT__URL`),
`.env` in the working directory, the TOML file named by `PASSERELLE_CONFIG` (default
`passerelle.toml`), the defaults below. `docs/settings.md` lists them all; a test keeps it true.
"""

from __future__ import annotations

import os
import socket
from ipaddress import ip_network
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from core.errors import ConfigurationError
from core.oidc import OidcSettings

_MIB = 1024 * 1024


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MqttSettings(_Section):
    """The broker and the session that the ingest worker keeps on it."""

    url: str = Field(
        "mqtt://127.0.0.1:1883",
        description="Broker address: mqtt:// or mqtts://, with user:password@ where it needs one.",
    )
    password: SecretStr | None = Field(
        None, description="Password, when it should not stand in the address."
    )
    ca_file: Path | None = Field(
        None, description="Certificate authority for mqtts (PEM); default: the system's."
    )
    cert_file: Path | None = Field(None, description="Client certificate for mqtts (PEM).")
    key_file: Path | None = Field(None, description="Key of the client certificate (PEM).")
    protocol: Literal["auto", "5", "3.1.1"] = Field(
        "auto", description="MQTT version; auto tries 5 and falls back to 3.1.1."
    )
    source: Literal["bulk", "paho"] = Field(
        "bulk",
        description="How a worker reads MQTT: bulk, many messages at a time; paho, a packet at a "
        "time by the library alone, several times the work.",
    )
    max_packet_bytes: int = Field(
        16 * _MIB,
        ge=128 * 1024,
        le=256 * _MIB,
        description="Longest MQTT packet, bytes. An MQTT 5 broker is told, and drops a longer one "
        "by itself; when one comes all the same, the bulk source closes the connection. A payload "
        "over ingest.max_payload_bytes and within this gets a dead letter.",
    )
    shared_group: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_-]*$",
        description="MQTT 5 shared-subscription group, so that several workers share the messages; "
        "empty: a plain subscription, for one worker. Mosquitto 2.0.11 forgets shared "
        "subscriptions when it restarts, and what is published until a worker subscribes again.",
    )
    receive_maximum: int = Field(
        20_000,
        ge=1,
        le=65535,
        description="Messages the broker may send before one is acknowledged (in flight): the "
        "more, the larger the transactions, and the cheaper each message.",
    )
    session_expiry_s: int = Field(
        7 * 24 * 3600,
        ge=0,
        le=0xFFFFFFFE,
        description="How long the broker keeps the session of an absent worker (MQTT 5), seconds.",
    )
    keepalive_s: int = Field(30, ge=5, le=65535, description="MQTT keep-alive, seconds.")
    reconnect_min_s: float = Field(
        0.5, gt=0, description="First wait before connecting again, seconds."
    )
    reconnect_max_s: float = Field(
        30.0, gt=0, description="Longest wait before connecting again, seconds."
    )


class RegistrySettings(_Section):
    """The relational database of sites, devices, profiles, keys, ledger and dead letters."""

    url: SecretStr | None = Field(
        None,
        description="SQLAlchemy address (sqlite:///... or postgresql+psycopg://...); "
        "default: registry.db in the data directory.",
    )
    refresh_s: float = Field(
        5.0, gt=0, description="How often a worker looks for changed devices and profiles, seconds."
    )
    profiles_dir: Path | None = Field(
        None,
        description="A directory of further device profiles (YAML), added to the shipped ones.",
    )


class StoreSettings(_Section):
    """The telemetry store."""

    url: str | None = Field(
        None,
        description="duckdb:///path, memory:, or influxdb+http://host:8086 (influxdb+https); "
        "default: telemetry.duckdb in the data directory.",
    )
    token: SecretStr | None = Field(None, description="InfluxDB token (2.x, 3.x).")
    username: str | None = Field(None, description="InfluxDB user (1.x with authentication).")
    password: SecretStr | None = Field(None, description="InfluxDB password (1.x).")
    org: str = Field("passerelle", description="InfluxDB organisation (2.x).")
    bucket: str = Field("telemetry", description="InfluxDB bucket (2.x) or database (1.x).")
    timeout_s: float = Field(30.0, gt=0, description="Longest wait for an answer, seconds.")
    compression: Literal["auto", "gzip", "none"] = Field(
        "auto",
        description="How requests to InfluxDB are compressed; auto: gzip, but not to this machine.",
    )
    batch_points: int = Field(5000, ge=1, description="Points in one write, at most.")
    pace_s: float = Field(
        0.05,
        ge=0,
        le=10,
        description="From the beginning of a write to that of the next one, at least, seconds; "
        "not while more than a write holds is waiting.",
    )


class SinkSettings(StoreSettings):
    """A further sink: it is given every point that the store is given, by a cursor of its own."""

    name: str = Field(
        pattern=r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$",
        description="Its name: in the spool, health, metrics and dead letters. Not `store`.",
    )
    url: str = Field(
        description="parquet:///directory, or influxdb+http://host:8086 (influxdb+https); not the "
        "address of the store itself."
    )
    max_lag_bytes: int = Field(
        512 * _MIB,
        ge=8 * _MIB,
        description="Size of what may wait on the worker's disk for this sink alone, bytes; "
        "several times what one transaction of the spool holds.",
    )
    when_behind: Literal["skip", "hold"] = Field(
        "skip",
        description="What happens beyond max_lag_bytes: skip, the oldest is passed over, noted, "
        "and filled by `passerelle sinks refill`; hold, acknowledging stops.",
    )
    file_points: int = Field(
        50_000, ge=1, description="Points in the files of one flush, at most (Parquet)."
    )
    file_age_s: float = Field(
        60.0, gt=0, description="How long points may wait for a file to fill, seconds (Parquet)."
    )


class SpoolSettings(_Section):
    """The worker's disk queue, on which a message is safe before it is acknowledged."""

    path: Path | None = Field(
        None, description="SQLite file; default: spool-WORKER.db in the data directory."
    )
    max_bytes: int = Field(
        2048 * _MIB,
        ge=_MIB,
        description="Size of the pending messages at which acknowledging stops, bytes.",
    )
    batch_messages: int = Field(
        5000, ge=1, description="Messages committed in one transaction, at most."
    )
    batch_bytes: int = Field(
        16 * _MIB,
        ge=64 * 1024,
        description="Size of the payloads from which on a transaction takes no more messages, "
        "bytes; what came in one read may go beyond it.",
    )
    batch_wait_s: float = Field(
        0.008,
        ge=0,
        description="Longest wait for a transaction to fill, seconds; ten times as long from "
        "5,000 messages a second on.",
    )


class DeadLetterSettings(_Section):
    """How much a worker's dead letters may hold, and what happens when they are full."""

    max_bytes: int = Field(
        1024 * _MIB,
        ge=_MIB,
        description="Size of the payloads of the open dead letters of one worker, bytes.",
    )
    max_age_days: float = Field(
        0.0,
        ge=0,
        description="Age at which the payload of an open dead letter is discarded, days; "
        "0: no bound by age.",
    )
    warn_at: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="Share of `max_bytes` at which the first warning is given; "
        "others follow at 0.8 and 0.95.",
    )
    when_full: Literal["hold", "discard_oldest"] = Field(
        "hold",
        description="hold: acknowledging stops, the broker keeps what comes, and an operator "
        "decides; discard_oldest: the payloads of the oldest open ones are discarded.",
    )


class ArchiveSettings(_Section):
    """The raw archive: every message as it was received, so that it can be decoded again."""

    enabled: bool = Field(default=False, description="Keep what is received.")
    days: float = Field(
        30.0, gt=0, description="How long it is kept, days from the end of the hour of reception."
    )
    path: Path | None = Field(
        None,
        description="Directory in which each worker has one of its own, archive-WORKER; "
        "default: the data directory.",
    )
    segment_bytes: int = Field(
        64 * _MIB,
        ge=64 * 1024,
        le=256 * _MIB,
        description="Size at which a file is closed and the next one begun, bytes; "
        "each hour begins one in any case.",
    )
    compression_level: int = Field(
        3, ge=1, le=19, description="Level of zstd: the higher, the smaller and the slower."
    )
    max_bytes: int = Field(
        20_480 * _MIB,
        ge=_MIB,
        description="Size of one worker's archive at which its oldest files are removed, bytes.",
    )
    when_failing: Literal["hold", "skip"] = Field(
        "hold",
        description="When it cannot be written: hold, nothing is acknowledged until it can; "
        "skip, messages go on without it, and the gap is noted.",
    )


class IngestSettings(_Section):
    """What a worker accepts."""

    worker: str = Field(
        "worker-1",
        pattern=r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$",
        description="Name of this worker; part of its MQTT client id and of its spool's name.",
    )
    unknown_device: Literal["quarantine", "enrol"] = Field(
        "quarantine",
        description="What a device that is not registered gets: its messages wait in the dead "
        "letters (quarantine), or it is registered under its own name (enrol).",
    )
    queue_messages: int = Field(
        10_000, ge=1, description="Messages received and not yet committed, at most."
    )
    queue_bytes: int = Field(
        64 * _MIB,
        ge=64 * 1024,
        description="Size of the payloads received and not yet committed, at most, bytes; what "
        "came in one read may go beyond it. Full, nothing more is read.",
    )
    max_payload_bytes: int = Field(256 * 1024, ge=1, description="Largest payload, bytes.")
    max_depth: int = Field(32, ge=1, description="Deepest nesting of a payload, levels.")
    max_readings: int = Field(10_000, ge=1, description="Readings in one message, at most.")
    clock_ahead_s: float = Field(
        300.0, ge=0, description="How far ahead a device clock may be before it is not trusted."
    )
    clock_earliest: str = Field(
        "2020-01-01T00:00:00Z",
        description="An instant before which a device clock is not trusted (RFC 3339).",
    )
    dedupe_messages: int = Field(
        500_000, ge=0, description="Messages remembered for telling duplicates, at most."
    )
    dedupe_s: float = Field(
        6 * 3600.0, ge=0, description="How long a message is remembered, seconds."
    )
    metrics_port: int | None = Field(
        None, description="Port of the worker's own /metrics and /health; none: not served."
    )
    metrics_host: str = Field("127.0.0.1", description="Address that port binds to.")


class LiveSettings(_Section):
    """The live stream: values as they arrive, for those who look on."""

    enabled: bool = Field(
        default=True,
        description="Workers tell of each batch on MQTT, and the API serves it at /v1/live.",
    )
    queue_mb: int = Field(
        8,
        ge=1,
        description="What waits in a worker while the broker takes nothing, at most, MB; then the "
        "oldest is dropped from the stream (never from the store).",
    )
    keep_s: float = Field(
        60.0, ge=1, description="How far back a reader of the API can go on, at most, seconds."
    )
    keep_mb: int = Field(
        32,
        ge=1,
        description="How much of it the API keeps, at most, MB; and as much again of how it was "
        "written out for readers.",
    )
    max_readers: int = Field(
        500, ge=1, description="Readers of one API process, at most; more get 503."
    )


class ApiSettings(_Section):
    """The HTTP API."""

    host: str = Field("127.0.0.1", description="Address to bind to.")
    port: int = Field(8000, ge=0, le=65535, description="Port to bind to; 0: any free one.")
    max_points: int = Field(
        100_000, ge=1, description="Values that one query may return or scan per series, at most."
    )
    max_scanned: int = Field(
        2_000_000,
        ge=1,
        description="Stored values that one query may read to compute its windows, at most, where "
        "the store does not compute them.",
    )
    kept_hours_mb: int = Field(
        64,
        ge=0,
        description="Memory for past hours of raw values that are kept at hand, at most, MB; 0: "
        "the store is asked each time.",
    )
    page_size: int = Field(1000, ge=1, le=100_000, description="Rows of a page when none is asked.")
    compression: bool = Field(
        default=True, description="Compress answers of 2 KB and more for clients that accept gzip."
    )
    cors_origins: tuple[str, ...] = Field(
        (),
        description="Origins of web pages that may call the API from a browser, such as "
        "https://maps.example; `*` allows every page. A key is needed all the same.",
    )
    rate_limit_per_s: float = Field(
        100.0,
        ge=0,
        allow_inf_nan=False,
        description="Requests of one key a second, for long; each process counts for itself. "
        "0: no bound.",
    )
    rate_limit_burst: int = Field(
        1000, ge=1, description="Requests of one key at once, before that bound is felt."
    )
    wrong_keys_per_minute: int = Field(
        60, ge=0, description="Wrong keys that one address may try in a minute. 0: no bound."
    )
    trusted_proxies: tuple[str, ...] = Field(
        (),
        description="Addresses or networks of reverse proxies, such as 127.0.0.1 or 10.0.0.0/8: "
        "from them alone X-Forwarded-For and X-Forwarded-Proto are believed.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            ip_network(proxy)  # its sentence names what is wrong
        return proxies


class ExportSettings(_Section):
    """Files of stored values: streamed, made by jobs, and frozen as snapshots."""

    path: Path | None = Field(
        None, description="Where files of jobs and snapshots are kept; default: data_dir/exports."
    )
    streams: int = Field(4, ge=1, le=64, description="Exports streamed at once, at most.")
    workers: int = Field(1, ge=1, le=16, description="Jobs carried out at once, at most.")
    max_bytes: int = Field(
        10_240 * _MIB,
        ge=_MIB,
        description="Size of the files of all jobs, bytes; a job that would exceed it fails.",
    )
    max_age_h: float = Field(
        72.0, gt=0, description="How long the file of a job is kept once it is done, hours."
    )
    snapshots_max_bytes: int = Field(
        51_200 * _MIB,
        ge=_MIB,
        description="Size of all snapshots, bytes; one that would exceed it fails.",
    )


class AlertsSettings(_Section):
    """Alerts: rules judged, people told."""

    enabled: bool = Field(
        default=True, description="`passerelle up` judges rules and tells people too."
    )
    policy: Path | None = Field(
        None,
        description="Who is told of what, and how (YAML, docs/alerts-notify.md); default: every "
        "alert on MQTT alone.",
    )
    public_url: str = Field(
        "",
        description="Address at which people reach the dashboard, for links in messages, such as "
        "https://passerelle.example; empty: no links.",
    )
    lease_s: float = Field(
        15.0,
        ge=3,
        description="For how long one process alone judges rules, unless it prolongs that, "
        "seconds: another takes over so long, and five seconds more, after it died.",
    )
    checkpoint_s: float = Field(
        20.0,
        gt=0,
        description="How often the evaluator's state is kept, seconds: the more often, the less "
        "is judged again after a crash.",
    )
    deaf_after_s: float = Field(
        30.0,
        ge=2,
        description="After how long without any worker the platform itself is an alarm, seconds.",
    )
    metrics_port: int | None = Field(
        None, description="Port of the process's own /metrics and /health; none: not served."
    )
    metrics_host: str = Field("127.0.0.1", description="Address that port binds to.")


class LoggingSettings(_Section):
    """Structured logs."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level.")
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="json, console, or auto: console on a terminal, json elsewhere."
    )


class Settings(BaseSettings):
    """All settings; frozen once read."""

    model_config = SettingsConfigDict(
        env_prefix="PASSERELLE_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
    )

    data_dir: Path = Field(Path(".data"), description="Where files are kept.")
    mqtt: MqttSettings = Field(default_factory=lambda: MqttSettings.model_validate({}))
    registry: RegistrySettings = Field(default_factory=lambda: RegistrySettings.model_validate({}))
    store: StoreSettings = Field(default_factory=lambda: StoreSettings.model_validate({}))
    sinks: tuple[SinkSettings, ...] = Field(
        (), description="Further sinks beside the store: JSON here, `[[sinks]]` tables in TOML."
    )
    spool: SpoolSettings = Field(default_factory=lambda: SpoolSettings.model_validate({}))
    dead_letters: DeadLetterSettings = Field(
        default_factory=lambda: DeadLetterSettings.model_validate({})
    )
    archive: ArchiveSettings = Field(default_factory=lambda: ArchiveSettings.model_validate({}))
    ingest: IngestSettings = Field(default_factory=lambda: IngestSettings.model_validate({}))
    api: ApiSettings = Field(default_factory=lambda: ApiSettings.model_validate({}))
    live: LiveSettings = Field(default_factory=lambda: LiveSettings.model_validate({}))
    oidc: OidcSettings = Field(default_factory=lambda: OidcSettings.model_validate({}))
    exports: ExportSettings = Field(default_factory=lambda: ExportSettings.model_validate({}))
    alerts: AlertsSettings = Field(default_factory=lambda: AlertsSettings.model_validate({}))
    logging: LoggingSettings = Field(default_factory=lambda: LoggingSettings.model_validate({}))

    @field_validator("sinks")
    @classmethod
    def _names_of_their_own(cls, sinks: tuple[SinkSettings, ...]) -> tuple[SinkSettings, ...]:
        names = ["store", *(sink.name for sink in sinks)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"a sink needs a name of its own, not {twice[0]}")
        return sinks

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add the TOML file as the weakest source."""
        toml = TomlConfigSettingsSource(
            settings_cls, Path(os.environ.get("PASSERELLE_CONFIG", "passerelle.toml"))
        )
        return init_settings, env_settings, dotenv_settings, file_secret_settings, toml

    @property
    def registry_url(self) -> str:
        """Address of the registry database, with its password."""
        if self.registry.url is not None:
            return self.registry.url.get_secret_value()
        return f"sqlite:///{self.data_dir.absolute() / 'registry.db'}"

    @property
    def store_url(self) -> str:
        """Address of the telemetry store, without secrets."""
        return self.store.url or f"duckdb:///{self.data_dir.absolute() / 'telemetry.duckdb'}"

    @property
    def spool_path(self) -> Path:
        """The worker's spool file."""
        return self.spool.path or self.data_dir / f"spool-{self.ingest.worker}.db"

    @property
    def archive_path(self) -> Path:
        """The directory of the worker's raw archive."""
        return (self.archive.path or self.data_dir) / f"archive-{self.ingest.worker}"

    @property
    def exports_path(self) -> Path:
        """The directory of the files of export jobs and snapshots."""
        return self.exports.path or self.data_dir / "exports"

    @property
    def client_id(self) -> str:
        """MQTT client identifier of the worker: stable, so that its session is found again."""
        return f"passerelle-{self.ingest.worker}"

    def masked(self) -> dict[str, Any]:
        """Return the effective settings with every secret, also those inside addresses, masked."""
        values = self.model_dump(mode="json")
        values["mqtt"]["url"] = _mask_url(self.mqtt.url)
        values["registry"]["url"] = _mask_url(self.registry_url)
        values["store"]["url"] = _mask_url(self.store_url)
        for sink in values["sinks"]:
            sink["url"] = _mask_url(sink["url"])
        return values


def load_settings(**overrides: Any) -> Settings:
    """Read the settings.

    Args:
        overrides: sections or values that stand above every other source, as nested mappings.

    Raises:
        ConfigurationError: a value is wrong; the sentence names the setting and its variable.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            path = [str(part) for part in problem["loc"]]
            named = list(takewhile(lambda part: not part.isdigit(), path))
            variable = "PASSERELLE_" + "__".join(named).upper()
            lines.append(f"setting {'.'.join(path)} ({variable}): {problem['msg']}")
        raise ConfigurationError("; ".join(lines)) from None
    except SettingsError as error:
        raise ConfigurationError(f"{error}: {error.__cause__}") from None


def host_name() -> str:
    """Return this machine's name, for heartbeats."""
    return socket.gethostname()


def _mask_url(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator or "@" not in rest:
        return url
    credentials, _, address = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    return f"{scheme}://{user}{':**********' if colon else ''}@{address}"
