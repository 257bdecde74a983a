"""A scene per test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.clock import SystemClock
from devices.registry import Registry
from tests.unit.alerts.lifecycle.scene import FILE, Scene


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a registry that is brought to its form, to be copied."""
    file = tmp_path_factory.mktemp("registry") / FILE
    registry = Registry.open(f"sqlite:///{file}", clock=SystemClock())
    registry.migrate()
    registry.close()
    return file


@pytest.fixture
def play(tmp_path: Path, empty_registry: Path) -> Iterator[Callable[..., Scene]]:
    """Return what sets a scene; it is closed after the test."""
    made: list[Scene] = []

    def make(*args: object, **more: object) -> Scene:
        directory = tmp_path / str(len(made))
        directory.mkdir()
        shutil.copy(empty_registry, directory / FILE)
        made.append(Scene(directory, *args, **more))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def scene(play: Callable[..., Scene]) -> Scene:
    """Return a scene in which each alert is told alone through channel `one`."""
    return play()
