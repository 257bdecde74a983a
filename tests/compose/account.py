"""What a fleet published while its broker was restarted, against what the API accounts for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

Device = tuple[str, str]
Ledger = dict[Device, dict[str, int]]


class Sent(msgspec.Struct, frozen=True):
    """What one device published, over all runs.

    Attributes:
        published: messages that the broker acknowledged.
        uncertain: messages that the broker may have had once more: those in flight when a
            connection broke, and those never acknowledged.
    """

    published: int = 0
    uncertain: int = 0


def add_up(reports: Iterable[bytes]) -> dict[Device, Sent]:
    """Return what each device published, from the simulators' reports."""
    sent: dict[Device, Sent] = {}
    for report in reports:
        for row in msgspec.json.decode(report)["devices"]:
            device = (row["site"], row["device"])
            before = sent.get(device, Sent())
            sent[device] = Sent(
                published=before.published + row["published"],
                uncertain=before.uncertain + row["resent"] + row["unacknowledged"],
            )
    return sent


def settled(sent: dict[Device, Sent], ledger: Ledger) -> bool:
    """Tell whether everything published has arrived and nothing is pending."""
    arrived = sum(row["received"] for row in ledger.values())
    return arrived >= sum(one.published for one in sent.values()) and not any(
        row["pending"] for row in ledger.values()
    )


def differences(sent: dict[Device, Sent], ledger: Ledger) -> list[str]:
    """Return one line for each device whose account does not hold.

    For every device `published <= stored + duplicate + dead-lettered <= published + uncertain`:
    an equality where no connection broke.
    """
    nothing = {"stored": 0, "duplicate": 0, "dead_lettered": 0}
    lines = []
    for device in sorted(sent.keys() | ledger.keys()):
        one, row = sent.get(device, Sent()), ledger.get(device, nothing)
        ended = row["stored"] + row["duplicate"] + row["dead_lettered"]
        if not one.published <= ended <= one.published + one.uncertain:
            lines.append(f"{'/'.join(device)}: published {one}, accounted for {row}")
    return lines


def totals(sent: dict[Device, Sent], ledger: Ledger) -> dict[str, Any]:
    """Return the sums, to be printed."""
    columns = ("received", "stored", "duplicate", "dead_lettered", "pending", "redelivered")
    return {
        "published": sum(one.published for one in sent.values()),
        "uncertain": sum(one.uncertain for one in sent.values()),
        **{name: sum(row.get(name, 0) for row in ledger.values()) for name in columns},
    }
