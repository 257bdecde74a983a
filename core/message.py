"""A message as it arrived, and what decoding makes of it, before any judgement of the values."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from core.errors import RejectedError


class RawMessage(msgspec.Struct, frozen=True):
    """One MQTT message exactly as the broker delivered it.

    Attributes:
        topic: the topic; a topic that is not UTF-8 never gets here (see `ingest.source`).
        payload: the bytes.
        received_ns: when the client library handed it over, nanoseconds since the epoch.
        retained: True when the broker replayed it at subscription.
        properties: MQTT 5 content type (`content-type`) and user properties, by name.
    """

    topic: str
    payload: bytes
    received_ns: int
    retained: bool = False
    properties: dict[str, str] = msgspec.field(default_factory=dict)


class MessageKind(StrEnum):
    """What a topic carries: measurements, a sign of life, or facts about devices."""

    TELEMETRY = "telemetry"
    AVAILABILITY = "availability"
    METADATA = "metadata"


class Sample(msgspec.Struct, frozen=True):
    """One value as a device sent it, mapped to a quantity name but not yet judged.

    Attributes:
        quantity: name the profile or the device gives; may be unknown to the catalogue.
        value: number, boolean or text as decoded; converted strictly by `ingest.validate`.
        unit: unit as sent or declared; None means the quantity's canonical unit.
        time_ns: the device's own instant, or None when it sent none.
        where: the place in the payload, for messages to a person, such as `BME280.Temperature`.
    """

    quantity: str
    value: float | bool | str
    unit: str | None = None
    time_ns: int | None = None
    where: str = ""


class Decoded(msgspec.Struct, frozen=True):
    """What a message says, by its profile. A pure function of (topic, bytes, properties, time).

    Attributes:
        profile: name of the profile that decoded it.
        site: site slug, from the topic or the binding.
        external_id: the device as it names itself in the topic.
        kind: measurements, sign of life, or metadata.
        samples: the values, in the order of the payload.
        seq: the device's message counter, or None.
        seq_modulus: where that counter begins again at 0 (Sparkplug `seq`: 256, LoRaWAN `fCnt` on
            the air: 65,536); 0: it does not.
        boot: the device's boot counter, or None.
        defects: fields of the payload that could not be decoded and cost only themselves.
        dedupe_window_s: how long identical bytes count as a duplicate when the message carries
            neither its own time nor a counter, seconds.
        simulated: True when the device says that it is a simulator.
        aliases: for metadata: external name -> stable hardware identifier.
        relative_time: True when the instants of the samples are counted from the time of
            reception: then they are no instants of the device's own, and identical bytes received
            later are a new message.
    """

    profile: str
    site: str
    external_id: str
    kind: MessageKind
    samples: tuple[Sample, ...] = ()
    seq: int | None = None
    seq_modulus: int = 0
    boot: int | None = None
    defects: tuple[Defect, ...] = ()
    dedupe_window_s: float = 2.0
    simulated: bool = False
    aliases: dict[str, str] = msgspec.field(default_factory=dict)
    relative_time: bool = False


class Defect(msgspec.Struct, frozen=True):
    """One field that had to be left out, and why.

    Attributes:
        reason: a `core.reasons.Reason`.
        detail: one sentence for a person, naming the field.
    """

    reason: str
    detail: str


class DecodeError(RejectedError):
    """The one error that decoding raises: the whole message cannot be used."""
