"""Fleets: the devices of a scenario, at the size asked for."""

from __future__ import annotations

import csv
import heapq
import io

from core.errors import ConfigurationError
from simulators.device import SimulatedDevice, make_device
from simulators.scenario import Faults, Scenario, Scheduled
from simulators.telling import DeviceStream
from simulators.world import World

REGISTRY_COLUMNS = (
    "id",
    "site",
    "profile",
    "external_id",
    "name",
    "building",
    "zone",
    "interval_s",
    "hardware_id",
)


class Fleet:
    """The devices of a scenario.

    Growing a fleet adds devices and leaves those that were there as they are.

    Args:
        scenario: what it is made of.
        devices: how many devices altogether, shared out in the proportions of the scenario; None:
            as many as the scenario says.
        seed: in place of the scenario's.
        faults: False switches every fault off, True leaves them as the scenario has them.

    Raises:
        ConfigurationError: fewer devices than one.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        devices: int | None = None,
        seed: int | None = None,
        faults: bool = True,
    ) -> None:
        if devices is not None and devices < 1:
            raise ConfigurationError(f"a fleet has at least one device, not {devices}")
        self.scenario = scenario
        self.seed = scenario.seed if seed is None else seed
        self._faults = scenario.faults if faults else Faults()
        self._schedule: tuple[Scheduled, ...] = scenario.schedule if faults else ()
        sites = {site.id: site for site in scenario.sites}
        counts = [group.count for group in scenario.groups]
        if devices is not None:
            counts = _shares(counts, devices)
        self.devices: tuple[SimulatedDevice, ...] = tuple(
            make_device(group=group, site=sites[group.site], number=number)
            for group, count in zip(scenario.groups, counts, strict=True)
            for number in range(1, count + 1)
        )

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that have devices, in the order of the scenario."""
        return tuple(dict.fromkeys(device.site for device in self.devices))

    def registry_csv(self) -> str:
        """Return the devices as `passerelle devices import` reads them."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(REGISTRY_COLUMNS)
        for device in self.devices:
            row = [getattr(device, column) for column in REGISTRY_COLUMNS]
            row[REGISTRY_COLUMNS.index("interval_s")] = f"{device.interval_s:g}"
            writer.writerow(row)
        return text.getvalue()

    def streams(self, *, start_ns: int, boot: int) -> list[DeviceStream]:
        """Return every device ready to work from `start_ns`, in the order of `devices`.

        Args:
            start_ns: when the run begins, simulated nanoseconds since the epoch.
            boot: every device's boot counter at the start.
        """
        world = World(self.scenario.sites, seed=self.seed)
        return [
            DeviceStream(
                device=device,
                row=row,
                world=world,
                seed=self.seed,
                faults=self._faults,
                schedule=self._schedule,
                start_ns=start_ns,
                boot=boot,
            )
            for row, device in enumerate(self.devices)
        ]


def _shares(counts: list[int], total: int) -> list[int]:
    """Share `total` out in proportion to `counts`: the highest-averages method of Sainte-Lague.

    It never takes a device away from a group when the total grows.
    """
    shares = [0] * len(counts)
    heap = [(-float(count), index) for index, count in enumerate(counts)]
    heapq.heapify(heap)
    for _ in range(total):
        _, index = heap[0]
        shares[index] += 1
        heapq.heapreplace(heap, (-counts[index] / (2 * shares[index] + 1), index))
    return shares
