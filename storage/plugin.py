"""What a backend's module says of itself: its `PLUGIN`."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from core.settings import Settings
from storage.ports import Store


class StorePlugin(msgspec.Struct, frozen=True):
    """One backend.

    Attributes:
        schemes: the parts before the first `:` of `store.url` that choose it.
        open: opens the store that the settings describe; raises `ConfigurationError` when a
            setting or a file is wrong. Whoever calls it closes the store.
    """

    schemes: tuple[str, ...]
    open: Callable[[Settings], Store]
