"""What a fault of alerting is: a name, a sentence, and what is done to a running platform."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from tests.reliability.alarms.sizes import Sizes

if TYPE_CHECKING:
    from tests.reliability.alarms.rig import AlarmRig


class Scene:
    """A fault under way.

    Args:
        rig: the platform.
        sizes: how large.
        devices: those of this fault.

    Attributes:
        kills: how often the process that judges was ended in the middle of its work.
        problems: what the fault saw that it should not have seen.
        most_messages: more than so many messages would shower people; None: not looked at.
    """

    def __init__(self, rig: AlarmRig, *, sizes: Sizes, devices: list[str]) -> None:
        self.rig = rig
        self.sizes = sizes
        self.devices = devices
        self.kills = 0
        self.problems: list[str] = []
        self.most_messages: int | None = None

    def check(self, what: str, *, holds: bool) -> None:
        """Note a problem when something that must hold does not."""
        if not holds:
            self.problems.append(what)


class AlarmFault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault.

    Attributes:
        name: how it is asked for.
        title: what is done, for the table.
        act: does it, publishes meanwhile, and mends it.
        brief: it is run in the short form, too.
    """

    name: str
    title: str
    act: Callable[[Scene], None]
    brief: bool = True
