"""The registry, opened for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.clock import SystemClock
from core.settings import load_settings
from devices.registry import Registry
from devices.seeding import prepare


@contextmanager
def opened_registry() -> Iterator[Registry]:
    """Open the registry of the settings, brought to the present form, and close it afterwards.

    Raises:
        ConfigurationError: the address is wrong.
        RegistryUnavailableError: the database does not answer.
    """
    settings = load_settings()
    registry = Registry.open(settings.registry_url, clock=SystemClock())
    try:
        prepare(registry, settings)
        yield registry
    finally:
        registry.close()
