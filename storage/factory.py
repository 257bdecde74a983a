"""The store and the sinks that the settings name; backends are modules of `storage/backends`."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Iterator

from core.errors import ConfigurationError
from core.settings import Settings, SinkSettings
from storage import backends
from storage.plugin import SinkPlugin, StorePlugin
from storage.ports import PointWriter, Store


def open_store(settings: Settings) -> Store:
    """Open the telemetry store of `settings.store_url`; the caller closes it.

    Raises:
        ConfigurationError: no backend has that scheme (the sentence names those there are), or
            the address, a setting or the file is wrong.
    """
    plugins = discovered()
    plugin = plugins.get(_scheme(settings.store_url))
    if plugin is None:
        shown = settings.store_url.partition(":")[0][:40]
        raise ConfigurationError(
            f"store.url (PASSERELLE_STORE__URL): there is no store {shown!r}; use {_named(plugins)}"
        )
    return plugin.open(settings)


def store_id(settings: Settings) -> int:
    """Return a number that tells the store of these settings from another one, 64 bits."""
    there = f"{settings.store_url} {settings.store.org} {settings.store.bucket}"
    return int.from_bytes(hashlib.sha256(there.encode()).digest()[:8])


def open_sink(settings: Settings, sink: SinkSettings) -> PointWriter:
    """Open a further sink; the caller closes it.

    Raises:
        ConfigurationError: as `open_store`, or it is the store itself.
    """
    try:
        return _open_sink(settings, sink)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"the sink {sink.name} (PASSERELLE_SINKS): {error.detail}"
        ) from None


def _open_sink(settings: Settings, sink: SinkSettings) -> PointWriter:
    scheme = _scheme(sink.url)
    writers, stores = discovered_sinks(), discovered()
    if scheme in writers:
        return writers[scheme].open(sink)
    if scheme not in stores:
        shown = sink.url.partition(":")[0][:40]
        raise ConfigurationError(f"there is no sink {shown!r}; use {_named(writers, stores)}")
    there = (settings.store_url, settings.store.org, settings.store.bucket)
    if (sink.url, sink.org, sink.bucket) == there:
        raise ConfigurationError("it is the store itself; give it another url or bucket")
    return stores[scheme].open(settings.model_copy(update={"store": sink}))


def open_sinks(settings: Settings) -> dict[str, PointWriter]:
    """Open all further sinks, by name; the caller closes them.

    Raises:
        ConfigurationError: as `open_sink`; none stays open.
    """
    opened: dict[str, PointWriter] = {}
    try:
        for sink in settings.sinks:
            opened[sink.name] = open_sink(settings, sink)
    except ConfigurationError:
        for writer in opened.values():
            writer.close()
        raise
    return opened


def discovered() -> dict[str, StorePlugin]:
    """Return every backend that can be the store, by scheme.

    Raises:
        TypeError: a module of the folder has no `PLUGIN`, or two claim one scheme.
    """
    return {
        scheme: plugin for scheme, plugin in _plugins().items() if isinstance(plugin, StorePlugin)
    }


def discovered_sinks() -> dict[str, SinkPlugin]:
    """Return every backend that is a further sink only, by scheme; raises as `discovered`."""
    return {
        scheme: plugin for scheme, plugin in _plugins().items() if isinstance(plugin, SinkPlugin)
    }


def _plugins() -> dict[str, StorePlugin | SinkPlugin]:
    found: dict[str, StorePlugin | SinkPlugin] = {}
    for name, plugin in _modules():
        if not isinstance(plugin, StorePlugin | SinkPlugin):
            raise TypeError(f"storage/backends/{name} defines no PLUGIN")
        for scheme in plugin.schemes:
            if scheme in found:
                raise TypeError(f"two backends of storage/backends claim {scheme}:")
            found[scheme] = plugin
    return found


def _modules() -> Iterator[tuple[str, object]]:
    for module in pkgutil.iter_modules(backends.__path__):
        imported = importlib.import_module(f"{backends.__name__}.{module.name}")
        yield module.name, getattr(imported, "PLUGIN", None)


def _scheme(url: str) -> str:
    scheme, separator, _ = url.partition(":")
    return scheme.lower() if separator else ""


def _named(*plugins: dict[str, StorePlugin] | dict[str, SinkPlugin]) -> str:
    return ", ".join(f"{name}:" for name in sorted({name for one in plugins for name in one}))
