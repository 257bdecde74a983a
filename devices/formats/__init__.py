"""Payload formats: one module each, found in this folder by its `PLUGIN`.

A format offers readers; a profile names one for each of its topics. Which reader reads a message is
told by its topic alone, never by a look at the payload.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from core.message import Decoded, RawMessage
from devices.limits import Limits
from devices.profile import Profile, TopicRule


class Origin(msgspec.Struct, frozen=True):
    """What the topic says about a message.

    Attributes:
        profile: name of the profile bound to the topic.
        site: site slug, from the topic or the binding.
        device: the device as it names itself in the topic.
        zone: the site's time zone, or None when the site is not registered.
    """

    profile: str
    site: str
    device: str
    zone: ZoneInfo | None


Reader = Callable[[RawMessage, Origin], Decoded]
"""Reads one message; raises `DecodeError`, and nothing else, when it cannot be used."""

Flat = tuple[msgspec.Struct, int | None, int | None, int | None, bool]
"""A usual message: (values, instant in nanoseconds, seq, boot, simulated).

The values are a struct with a field for each quantity: a number in its canonical unit, within the
bounds of the catalogue.
"""

FlatReader = Callable[[bytes], Flat | None]
"""Reads usual messages with certain quantities; None when a payload is not quite that.

Of a payload that it reads it says the same as the format's `Reader`, which reads all others.
"""


class FlatFormat(Protocol):
    """How a format's usual messages are read quickly: one instant, plain numbers."""

    def names(self, payload: bytes) -> tuple[str, ...] | None:
        """Return the quantities of a message that may be usual, in its order, else None."""
        ...

    def reader(self, bounds: Mapping[str, tuple[float, float]]) -> FlatReader:
        """Make the reader of messages with just these quantities, each within its bounds."""
        ...


ReaderMaker = Callable[[Profile, TopicRule, Limits], Reader]
"""Makes a reader for one topic of a profile; raises `ProfileProblem` when that cannot be done."""


class Format(Protocol):
    """What a module of this folder defines as `PLUGIN`."""

    @property
    def name(self) -> str:
        """Name that profiles use."""
        ...

    @property
    def readers(self) -> Mapping[str, ReaderMaker]:
        """Readers by name."""
        ...

    @property
    def rules(self) -> bool:
        """Whether profiles of this format may have rules."""
        ...

    @property
    def flat(self) -> Mapping[str, Callable[[Limits], FlatFormat]]:
        """Quick ways to read, by the name of the reader that they stand in for."""
        ...


class Plugin(msgspec.Struct, frozen=True):
    """A format, as most modules define it.

    Attributes:
        name: name that profiles use.
        readers: makers of readers, by name.
        rules: whether profiles of this format may have rules.
        flat: quick ways to read, by the name of the reader that they stand in for.
    """

    name: str
    readers: dict[str, ReaderMaker]
    rules: bool = True
    flat: dict[str, Callable[[Limits], FlatFormat]] = msgspec.field(default_factory=dict)


@lru_cache(maxsize=1)
def formats() -> Mapping[str, Format]:
    """Return every format by its name."""
    found: dict[str, Format] = {}
    for module in pkgutil.iter_modules(__path__):
        plugin: Format = importlib.import_module(f"{__name__}.{module.name}").PLUGIN
        found[plugin.name] = plugin
    return found
