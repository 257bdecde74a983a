"""A simulated device: who it is, and what it has to say about itself."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import msgspec

from simulators.formats.catalogue import WIRES
from simulators.formats.wire import Identity
from simulators.rooms import Use
from simulators.scenario import Group, SiteSpec

_ROOMS_A_BUILDING = 12
_OUTDOORS = frozenset({"weather_station", "air_station", "solar_inverter"})


class SimulatedDevice(msgspec.Struct, frozen=True):
    """One device of a fleet.

    Attributes:
        id: slug, unique on the platform.
        site: site slug.
        profile: the platform's name of its payload convention.
        external_id: its name in topics.
        name: for people.
        building: where it is.
        zone: the room or area.
        interval_s: how often it measures, seconds.
        hardware_id: IEEE address, or "".
        kind: what it measures; see `simulators.sensors.SENSORS`.
        wire: how it says so; see `simulators.formats.catalogue.WIRES`.
        use: of its room.
        batch: measurements in one message.
        time_zone: IANA zone of its site.
        address: 64-bit address, `0x` and 16 hexadecimal digits.
    """

    id: str
    site: str
    profile: str
    external_id: str
    name: str
    building: str
    zone: str
    interval_s: float
    hardware_id: str
    kind: str
    wire: str
    use: Use
    batch: int
    time_zone: str
    address: str

    @property
    def identity(self) -> Identity:
        """What its wire format needs to know."""
        return Identity(
            site=self.site,
            external_id=self.external_id,
            hardware_id=self.address,
            zone=self.time_zone,
        )


MessageKind = Literal["telemetry", "availability", "metadata"]


def make_device(*, group: Group, site: SiteSpec, number: int) -> SimulatedDevice:
    """Return device `number` (from 1) of `group`: who it is depends on nothing else."""
    short = f"{group.label}-{number:04d}"
    slug = f"{site.id}-{short}"
    mark = blake2b(slug.encode(), digest_size=6).hexdigest()
    address = f"0x00124b{mark[:10]}"
    home = group.use == "home"
    room = (number - 1) % _ROOMS_A_BUILDING + 1
    letter = _letters((number - 1) // _ROOMS_A_BUILDING)
    building = f"{'residence' if home else 'batiment'}-{letter}"
    zone = f"{'logement' if home else 'bureau'}-{room:02d}"
    if group.kind in _OUTDOORS:
        zone = "toiture"
    wire = WIRES[group.format]
    external_id = short
    if wire.profile == "zigbee2mqtt":
        external_id = f"{building}/{zone}/{short}"
    elif wire.profile == "tasmota":
        external_id = f"tasmota_{mark[:10].upper()}"
    return SimulatedDevice(
        id=slug,
        site=site.id,
        profile=wire.profile,
        external_id=external_id,
        name=f"{group.kind.replace('_', ' ').capitalize()} {number}",
        building=building,
        zone=zone,
        interval_s=group.interval * group.batch,
        hardware_id=address if wire.profile == "zigbee2mqtt" else "",
        kind=group.kind,
        wire=group.format,
        use=group.use,
        batch=group.batch,
        time_zone=site.zone,
        address=address,
    )


def _letters(number: int) -> str:
    """Return a, b, ... z, aa, ab ... for 0, 1, 2..."""
    text = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        text = chr(ord("a") + digit) + text
    return text
