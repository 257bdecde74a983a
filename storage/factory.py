"""The store that the settings name: backends are the modules of `storage/backends`."""

from __future__ import annotations

import importlib
import pkgutil

from core.errors import ConfigurationError
from core.settings import Settings
from storage import backends
from storage.plugin import StorePlugin
from storage.ports import Store


def open_store(settings: Settings) -> Store:
    """Open the telemetry store of `settings.store_url`; the caller closes it.

    Raises:
        ConfigurationError: no backend has that scheme (the sentence names those there are), or
            the address, a setting or the file is wrong.
    """
    scheme, separator, _ = settings.store_url.partition(":")
    plugins = discovered()
    plugin = plugins.get(scheme.lower()) if separator else None
    if plugin is None:
        known = ", ".join(f"{name}:" for name in sorted(plugins))
        raise ConfigurationError(
            f"store.url (PASSERELLE_STORE__URL): there is no store {scheme[:40]!r}; use {known}"
        )
    return plugin.open(settings)


def discovered() -> dict[str, StorePlugin]:
    """Return every backend by scheme.

    Raises:
        TypeError: a module of the folder has no `PLUGIN`, or two claim one scheme.
    """
    found: dict[str, StorePlugin] = {}
    for module in pkgutil.iter_modules(backends.__path__):
        plugin = getattr(
            importlib.import_module(f"{backends.__name__}.{module.name}"), "PLUGIN", None
        )
        if not isinstance(plugin, StorePlugin):
            raise TypeError(f"storage/backends/{module.name} defines no PLUGIN")
        for scheme in plugin.schemes:
            if scheme in found:
                raise TypeError(f"two backends of storage/backends claim {scheme}:")
            found[scheme] = plugin
    return found
