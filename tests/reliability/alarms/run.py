"""Running faults of alerting one after the other, on one platform."""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.reliability.alarms.fault import AlarmFault, Scene
from tests.reliability.alarms.judge import judge
from tests.reliability.alarms.outcome import AlarmOutcome
from tests.reliability.alarms.rig import AlarmRig
from tests.reliability.alarms.sizes import Sizes
from tests.servers.influxdb2 import InfluxDB2, new_influxdb2

_SETTLED_S = 120.0


def run_alarm_faults(
    faults: Sequence[AlarmFault],
    *,
    sizes: Sizes,
    directory: Path,
    tell: Callable[[AlarmOutcome], None],
) -> list[AlarmOutcome]:
    """Run faults and return what came of each.

    Args:
        faults: in this order.
        sizes: how large.
        directory: for all files; on a disk.
        tell: called with each outcome as it is known.

    Raises:
        ServerUnavailableError: a server is not on this machine.
    """
    directory = directory.absolute()  # the programs work elsewhere
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="alarms-", dir=directory) as place:
        (shared := Path(place) / "influxdb").mkdir()
        (own := Path(place) / "rig").mkdir()
        with new_influxdb2(shared) as store:
            return run_on(faults, sizes=sizes, directory=own, store=store.access, tell=tell)


def run_on(
    faults: Sequence[AlarmFault],
    *,
    sizes: Sizes,
    directory: Path,
    store: InfluxDB2,
    tell: Callable[[AlarmOutcome], None] = lambda _: None,
    defect: str = "",
    seconds: float = _SETTLED_S,
) -> list[AlarmOutcome]:
    """Run faults on one platform beside an InfluxDB that runs; return what came of each.

    Args:
        faults: in this order.
        sizes: how large.
        directory: empty.
        store: where values are.
        tell: called with each outcome as it is known.
        defect: of alerting (`tests.support.faulty_alerts`).
        seconds: for how long the alarms of a fault are waited for.
    """
    devices = {
        one.name: [f"{one.name}-{number}" for number in range(sizes.devices)] for one in faults
    }
    outcomes = []
    with AlarmRig(
        directory=directory,
        store=store,
        devices=[name for some in devices.values() for name in some],
        hurry_s=sizes.hurry_s,
        defect=defect,
    ) as rig:
        for fault in faults:
            scene = Scene(rig, sizes=sizes, devices=devices[fault.name])
            outcome = _run(fault, scene, seconds=seconds)
            if not outcome.kept:
                (directory.parent / f"{fault.name}.txt").write_text(f"{outcome}\n{rig.output()}")
            tell(outcome)
            outcomes.append(outcome)
    return outcomes


def _run(fault: AlarmFault, scene: Scene, *, seconds: float) -> AlarmOutcome:
    began_s = time.monotonic()
    try:
        fault.act(scene)
        began_s = time.monotonic()
        scene.rig.settle(frozenset(scene.devices), seconds=seconds)
    except Exception as error:  # noqa: BLE001 - the other faults are to be run too
        where = traceback.extract_tb(error.__traceback__)[-1]
        scene.problems.append(f"{type(error).__name__} at {where.name}: {error}")
        scene.rig.mend()
    return judge(fault, scene, recovered_s=time.monotonic() - began_s)
