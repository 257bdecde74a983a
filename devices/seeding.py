"""What every registry holds: both sites, the shipped profiles, the operator's own."""

from __future__ import annotations

from core.settings import Settings
from devices.decoder import load_profiles, shipped_bindings, shipped_profiles
from devices.registry import Registry


def prepare(registry: Registry, settings: Settings) -> None:
    """Bring the registry to the present form and add what it should hold; safe to repeat.

    Raises:
        ProfileError: a file in `registry.profiles_dir` cannot be used.
        RegistryUnavailableError: the database does not answer.
    """
    registry.migrate()
    registry.seed(shipped_profiles(), shipped_bindings())
    if settings.registry.profiles_dir is not None:
        registry.seed(*load_profiles(settings.registry.profiles_dir))
