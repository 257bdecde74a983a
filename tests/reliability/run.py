"""Running faults one after the other, each with a broker, a bucket and a directory of its own."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.reliability.fault import Fault
from tests.reliability.judge import judge
from tests.reliability.outcome import Outcome
from tests.reliability.rig import Rig
from tests.reliability.scale import Scale
from tests.servers.influxdb2 import InfluxDB2, new_influxdb2

_NAMED = 5


def run_faults(
    faults: Sequence[Fault],
    *,
    scale: Scale,
    directory: Path,
    tell: Callable[[Outcome], None],
) -> list[Outcome]:
    """Run faults and return what came of each.

    Args:
        faults: in this order.
        scale: how large.
        directory: for all files; on a disk.
        tell: called with each outcome as it is known.

    Raises:
        ServerUnavailableError: a server is not on this machine.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="reliability-", dir=directory) as place:
        (shared := Path(place) / "influxdb").mkdir()
        with new_influxdb2(shared) as store:
            outcomes = []
            for fault in faults:
                (own := Path(place) / fault.name).mkdir()
                outcome = run_fault(fault, scale=scale, directory=own, store=store.access)
                tell(outcome)
                outcomes.append(outcome)
    return outcomes


def run_fault(fault: Fault, *, scale: Scale, directory: Path, store: InfluxDB2) -> Outcome:
    """Run one fault; one that cannot be brought to its end is a problem of its outcome.

    Args:
        fault: what is done.
        scale: how large.
        directory: empty.
        store: a running InfluxDB.
    """
    with Rig(fault=fault, scale=scale, directory=directory, store=store) as rig:
        try:
            fault.act(rig)
            rig.finish()
            rig.problems += [f"passerelle verify: {one}" for one in rig.verify()[:_NAMED]]
        except Exception as error:  # noqa: BLE001 - the other faults are to be run too
            where = traceback.extract_tb(error.__traceback__)[-1]
            rig.problems.append(f"{type(error).__name__} at {where.name}: {error}")
        outcome = judge(rig)
        if not outcome.kept:
            (directory / "outcome.txt").write_text(f"{outcome}\n\n{rig.output()}")
    return outcome
