"""The registry, opened for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.clock import SystemClock
from core.settings import load_settings
from devices.decoder import shipped_bindings, shipped_profiles
from devices.registry import Registry


@contextmanager
def opened_registry() -> Iterator[Registry]:
    """Open the registry of the settings, brought to the present form, and close it afterwards.

    Raises:
        ConfigurationError: the address is wrong.
        RegistryUnavailableError: the database does not answer.
    """
    registry = Registry.open(load_settings().registry_url, clock=SystemClock())
    try:
        registry.migrate()
        registry.seed(shipped_profiles(), shipped_bindings())
        yield registry
    finally:
        registry.close()
