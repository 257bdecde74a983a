"""pytest plugin: a test that leaves a thread or an asyncio task behind fails."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tests.servers.waiting import wait_until

_GRACE_SECONDS = 2.0


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """Compare the threads and tasks before the test with those after its fixtures are gone.

    Daemon threads are not counted: libraries keep pools of them. A task is counted while its
    event loop could still run it.
    """
    threads_before = set(threading.enumerate())
    tasks_before = set(_pending_tasks())
    yield

    def threads() -> list[threading.Thread]:
        alive = set(threading.enumerate()) - threads_before
        return [thread for thread in alive if not thread.daemon]

    try:
        wait_until(lambda: not threads(), seconds=_GRACE_SECONDS, what="its threads ended")
    except TimeoutError:
        names = sorted(thread.name for thread in threads())
        pytest.fail(f"the test left threads behind: {', '.join(names)}", pytrace=False)

    def tasks() -> list[asyncio.Task[Any]]:
        return [task for task in _pending_tasks() if task not in tasks_before]

    try:
        wait_until(lambda: not tasks(), seconds=_GRACE_SECONDS, what="its tasks ended")
    except TimeoutError:
        names = sorted(f"{task.get_name()} ({task.get_coro()})" for task in tasks())
        pytest.fail(f"the test left asyncio tasks pending: {', '.join(names)}", pytrace=False)


def _pending_tasks() -> list[asyncio.Task[Any]]:
    return [task for task in _all_tasks() if not task.done() and not task.get_loop().is_closed()]


def _all_tasks() -> Iterable[asyncio.Task[Any]]:
    """Return the tasks of every event loop of the process.

    asyncio.all_tasks() knows only the running loop's. Its own register of all of them is a weak
    set up to Python 3.13; later it is out of reach, and the garbage collector's list serves.
    """
    for name in ("_scheduled_tasks", "_all_tasks"):
        register = getattr(asyncio.tasks, name, None)
        if register is not None and not hasattr(asyncio, "future_add_to_awaited_by"):
            return list(register)
    return [found for found in gc.get_objects() if isinstance(found, asyncio.Task)]
