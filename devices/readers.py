"""Readers that several formats share: documents by rules, signs of life, what is left unread."""

from __future__ import annotations

from typing import Any

from core.message import Decoded, DecodeError, MessageKind, RawMessage, Sample
from core.reasons import Reason
from devices.formats import Origin, Reader
from devices.limits import Limits
from devices.payload import duplicate_keys, read_json, text
from devices.profile import Profile, TopicRule
from devices.rule_time import Times
from devices.rules import RuleSet
from devices.values import named_type

_SHOWN_KEYS = 6
_ONLINE = {"online": 1.0, "offline": 0.0}


def document_reader(profile: Profile, topic: TopicRule, limits: Limits) -> Reader:
    """Make a reader of JSON objects whose fields the profile's rules name."""
    rules = RuleSet(profile)
    kind = MessageKind(topic.kind)

    def read(message: RawMessage, origin: Origin) -> Decoded:
        document = json_object(message.payload, limits)
        times = Times(site=origin.site, zone=origin.zone, received_ns=message.received_ns)
        extract = rules.read(document, times)
        if not extract.known and not topic.may_be_empty:
            raise DecodeError(
                Reason.NO_READING,
                f"profile {origin.profile} knows none of the fields: {shown_keys(document)}; add a "
                "rule for those that are readings, and the others to its list `ignore`",
            )
        return Decoded(
            profile=origin.profile,
            site=origin.site,
            external_id=origin.device,
            kind=kind,
            samples=at_most(extract.samples, limits),
            defects=(*extract.defects, *duplicate_keys(message.payload, document)),
            dedupe_window_s=profile.dedupe_window_s,
        )

    return read


def availability_reader(profile: Profile, _topic: TopicRule, limits: Limits) -> Reader:
    """Make a reader of `online` and `offline`, as text in any case or as `{"state": "online"}`."""

    def read(message: RawMessage, origin: Origin) -> Decoded:
        word = text(message.payload, limits)
        if word.startswith("{"):
            state = json_object(message.payload, limits).get("state")
            word = state if isinstance(state, str) else ""
        online = _ONLINE.get(word.lower())
        if online is None:
            raise DecodeError(
                Reason.WRONG_TYPE,
                f"a sign of life is online or offline, not {message.payload[:40]!r}",
            )
        return Decoded(
            profile=origin.profile,
            site=origin.site,
            external_id=origin.device,
            kind=MessageKind.AVAILABILITY,
            samples=(Sample("online", online, where="payload"),),
            dedupe_window_s=profile.dedupe_window_s,
        )

    return read


def ignoring_reader(_profile: Profile, _topic: TopicRule, _limits: Limits) -> Reader:
    """Make a reader that accounts for messages which are no readings, without a look at them."""

    def read(_message: RawMessage, origin: Origin) -> Decoded:
        return Decoded(
            profile=origin.profile,
            site=origin.site,
            external_id=origin.device,
            kind=MessageKind.METADATA,
        )

    return read


def json_object(payload: bytes, limits: Limits) -> dict[str, Any]:
    """Return the JSON object in `payload`.

    Raises:
        DecodeError: it is not JSON, or not an object.
    """
    return an_object(read_json(payload, limits))


def an_object(document: Any) -> dict[Any, Any]:
    """Return `document` when it is an object.

    Raises:
        DecodeError: it is something else.
    """
    if type(document) is not dict:
        raise DecodeError(
            Reason.WRONG_TYPE, f"the payload must be an object; it is {named_type(document)}"
        )
    return document


def shown_keys(document: dict[Any, Any]) -> str:
    """Return the first keys of an object, for messages to a person."""
    keys = [str(key)[:40] for key in list(document)[:_SHOWN_KEYS]]
    return ", ".join(keys) + (", ..." if len(document) > _SHOWN_KEYS else "") if keys else "(none)"


def at_most(samples: tuple[Sample, ...], limits: Limits) -> tuple[Sample, ...]:
    """Return `samples` when there are not too many.

    Raises:
        DecodeError: TOO_MANY_READINGS.
    """
    if len(samples) > limits.max_readings:
        raise too_many(limits)
    return samples


def too_many(limits: Limits) -> DecodeError:
    """Return the error for a message with too many readings."""
    return DecodeError(
        Reason.TOO_MANY_READINGS,
        f"the message has more than {limits.max_readings} readings (setting ingest.max_readings); "
        "send several messages",
    )
