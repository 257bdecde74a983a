"""The model of a device profile: what a device family publishes, and what it means.

A profile is data: paths and typed operations, no expressions, nothing that is ever evaluated. The
JSON Schema for editors comes from this model, and so do the errors of `devices.profile_files`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Segment = str | int
"""One step of a path: a key of an object (which may hold `:` and `.`), or an index of a list."""

Path = Annotated[
    tuple[Segment, ...],
    Meta(
        min_length=1,
        max_length=16,
        description="Keys (and list indexes) from the top of the payload to the value; * is any "
        "key that no other rule names.",
    ),
]
TimeFormat = Literal["iso8601", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns"]
KindName = Literal["telemetry", "availability", "metadata"]
Combine = Literal["sum", "mean", "minimum", "maximum", "first", "weighted_mean"]


class ProfileProblem(Exception):  # noqa: N818 - becomes a ProfileError once file and line are known
    """Something in a profile is wrong; `devices.profile_files` adds the file and the line.

    Args:
        path: the field, from the top of the profile: `("rules", 3, "unit")`.
        detail: one sentence for a person: what is wrong, and what would be right.
    """

    def __init__(self, path: Sequence[Segment], detail: str) -> None:
        super().__init__(detail)
        self.path = tuple(path)
        self.detail = detail


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a profile; an unknown key is an error."""


class Description(_Strict, frozen=True):
    """What the device family is, in the languages of the platform."""

    en: Annotated[str, Meta(min_length=1, description="In English.")]
    fr: Annotated[str, Meta(min_length=1, description="In French.")]


class TopicRule(_Strict, frozen=True):
    """A topic template and how its messages are read."""

    template: Annotated[
        str,
        Meta(
            min_length=1,
            description="Topic with {site}, {device}, {device*} (one or more levels), {any}, "
            "{any*} in place of whole levels.",
        ),
    ]
    kind: Annotated[KindName, Meta(description="What the messages carry.")]
    reader: Annotated[str, Meta(description="How they are read: one of the format's readers.")]
    may_be_empty: Annotated[
        bool,
        Meta(description="A message with none of the known fields is no error (command replies)."),
    ] = False


class TimeRule(_Strict, frozen=True):
    """Where the device's own instant stands."""

    path: Path
    format: Annotated[
        TimeFormat | tuple[TimeFormat, ...],
        Meta(description="How it is written; a list when it may be text or number."),
    ]
    zone: Annotated[
        str | None,
        Meta(
            description="For iso8601 without an offset: an IANA zone, or `site` for the site's "
            "zone. Without it the offset is required."
        ),
    ] = None


class UnitFrom(_Strict, frozen=True):
    """Where the unit stands in the payload."""

    path: Path
    default: Annotated[
        str | None, Meta(description="Unit when the payload names none; else the canonical one.")
    ] = None


class ForEach(_Strict, frozen=True):
    """The value may be a list or an object of values, one for each phase or channel."""

    combine: Annotated[Combine, Meta(description="How they make one value.")]
    weight: Annotated[
        Path | None, Meta(description="For weighted_mean: the path of the weights.")
    ] = None


class Rule(_Strict, frozen=True):
    """One value of the payload, and the quantity it becomes.

    The order of work: `null_values`, `enum_map`, number, `scale`, `offset`, `range`, unit.
    """

    path: Path
    quantity: Annotated[str, Meta(description="Name in the quantity catalogue.")]
    type: Annotated[
        Literal["number", "number_text", "boolean"],
        Meta(description="number_text: a number that may be written as text."),
    ] = "number"
    unit: Annotated[str | None, Meta(description="Unit of the value as sent, after scale.")] = None
    unit_from: UnitFrom | None = None
    scale: Annotated[float, Meta(description="Factor, before the unit is converted.")] = 1.0
    offset: Annotated[float, Meta(description="Added after the factor.")] = 0.0
    enum_map: Annotated[
        dict[str, float | bool | None],
        Meta(
            description="Value for a word (or true, false, a whole number as text); null: the "
            "word says nothing of this quantity."
        ),
    ] = msgspec.field(default_factory=dict)
    null_values: Annotated[
        tuple[float | str, ...],
        Meta(description="Values by which the device says that it has none."),
    ] = ()
    range: Annotated[
        tuple[float, float] | None,
        Meta(description="Smallest and largest value accepted, after scale and offset."),
    ] = None
    time: TimeRule | None = None
    for_each: ForEach | None = None
    requires: Annotated[
        Path | None, Meta(description="The rule holds only when this path is in the payload.")
    ] = None
    unless: Annotated[
        Path | None, Meta(description="The rule holds only when this path is not there.")
    ] = None


class Profile(_Strict, frozen=True):
    """A device family: its topics, its payload format, and the meaning of its fields."""

    name: Annotated[str, Meta(pattern="^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$")]
    version: Annotated[int, Meta(ge=1, description="Raised with each change.")]
    description: Description
    format: Annotated[str, Meta(description="Payload format: a module of devices/formats.")]
    topics: Annotated[tuple[TopicRule, ...], Meta(min_length=1)]
    time: Annotated[TimeRule | None, Meta(description="For every rule that has none.")] = None
    rules: Annotated[
        tuple[Rule, ...],
        Meta(description="In order of preference: the first that finds a quantity gives it."),
    ] = ()
    ignore: Annotated[
        tuple[Path, ...], Meta(description="Known fields that are not readings.")
    ] = ()
    dedupe_window_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="How long identical bytes are a duplicate when the message has neither "
            "its own time nor a counter, seconds.",
        ),
    ] = 2.0


def profile_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a profile, for editors (`docs/profile.schema.json`)."""
    schema: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(Profile)))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Passerelle device profile",
        **schema,
    }
