"""`python -m tests.support.faulty_outbox REGISTRY CHANNELS [WHERE:COUNT]`: an outbox that may die.

CHANNELS is a JSON object as under `channels` of the policy. It delivers until nothing waits.
`begun:2` kills it with SIGKILL when its second attempt is in the registry and nothing is sent yet,
`sent:2` when the second one was sent and that is not in the registry yet, `recorded:2` just after.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from alerts.deliver.outbox import Outbox
from core.clock import SystemClock
from core.metrics import Metrics
from core.settings import MqttSettings
from devices.registry import Registry
from tests.support.notices import Channels, spec


def main() -> None:
    """Deliver what waits, or die."""
    address, channels = sys.argv[1:3]
    clock = SystemClock()
    registry = Registry.open(address, clock=clock)
    if len(sys.argv) > 3:
        where, _, count = sys.argv[3].partition(":")
        _die(registry.notices, where, int(count))
    outbox = Outbox(
        registry=registry,
        policy=Channels({name: spec(name, **said) for name, said in json.loads(channels).items()}),
        clock=clock,
        metrics=Metrics().alerts,
        on_channel=lambda *_: None,
        mqtt=MqttSettings.model_validate({}),
    )
    outbox.start()
    while registry.notices.waiting():
        time.sleep(0.05)
    outbox.stop()
    registry.close()


def _die(notices: Any, where: str, count: int) -> None:
    """Have the process killed at the count-th passage of a place."""
    left = [count]

    def passed() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(step: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            if before:
                passed()
            found = step(*args, **kwargs)
            if not before:
                passed()
            return found

        return run

    if where == "begun":
        notices.begin = around(notices.begin, before=False)
    else:
        notices.finish = around(notices.finish, before=where == "sent")


if __name__ == "__main__":
    main()
