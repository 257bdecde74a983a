from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.app import create_app
from api.documentation import DocumentedApi
from core.access import EVERYTHING
from core.clock import ManualClock
from core.metrics import Metrics
from core.settings import load_settings
from devices.registry import ProfileVersion, Registry
from storage.backends.memory import MemoryStore
from tests.unit.api.world import NOW_NS, PROFILE, Caller, World


@pytest.fixture
def caller() -> Iterator[Callable[..., Caller]]:
    made: dict[tuple[int, str | None], Caller] = {}

    def make(app: DocumentedApi, *, key: str | None) -> Caller:
        found = made.get((id(app), key))
        if found is None:
            found = made[id(app), key] = Caller(app, key=key)
        return found

    yield make
    for client in made.values():
        client.close()


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let callers and addresses ask as often as they like."""
    for name in ("RATE_LIMIT_PER_S", "WRONG_KEYS_PER_MINUTE"):
        monkeypatch.setenv(f"PASSERELLE_API__{name}", "0")


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry file with the two sites and one profile, made once and copied for each test."""
    file = tmp_path_factory.mktemp("seeded") / "registry.db"
    registry = Registry.open(f"sqlite:///{file}", clock=ManualClock(NOW_NS))
    registry.migrate()
    registry.seed([], [])
    source = f"name: {PROFILE}\n"
    sha256 = hashlib.sha256(source.encode()).hexdigest()
    registry.profiles.put(ProfileVersion(name=PROFILE, version=1, source=source, sha256=sha256))
    registry.close()
    return file


@pytest.fixture
def world(tmp_path: Path, seeded: Path, caller: Callable[..., Caller]) -> Iterator[World]:
    clock = ManualClock(NOW_NS)
    settings = load_settings(data_dir=tmp_path)
    shutil.copy(seeded, tmp_path / "registry.db")
    registry = Registry.open(settings.registry_url, clock=clock)
    store = MemoryStore()
    metrics = Metrics()
    app = create_app(
        settings=settings, registry=registry, store=store, metrics=metrics, clock=clock
    )
    key, _ = registry.keys.create("tests", grants=EVERYTHING)
    yield World(
        app=app,
        registry=registry,
        store=store,
        clock=clock,
        metrics=metrics,
        settings=settings,
        key=key,
        caller=caller,
    )
    store.close()
    registry.close()
