"""What a backend's module says of itself: its `PLUGIN`."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from core.settings import Settings, SinkSettings
from storage.ports import PointWriter, Store


class StorePlugin(msgspec.Struct, frozen=True):
    """One backend.

    Attributes:
        schemes: the parts before the first `:` of `store.url` that choose it.
        open: opens the store that the settings describe; raises `ConfigurationError` when a
            setting or a file is wrong. Whoever calls it closes the store.
    """

    schemes: tuple[str, ...]
    open: Callable[[Settings], Store]


class SinkPlugin(msgspec.Struct, frozen=True):
    """A backend that is written only: a further sink, never the store.

    Attributes:
        schemes: the parts before the first `:` of the `url` of a sink that choose it.
        open: opens the sink that the settings describe; raises `ConfigurationError` when one is
            wrong. Whoever calls it closes the sink.
    """

    schemes: tuple[str, ...]
    open: Callable[[SinkSettings], PointWriter]
