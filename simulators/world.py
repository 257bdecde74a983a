"""The simulated world of a scenario: the weather of each site and its rooms, shared by devices."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from simulators.climate import Weather
from simulators.rooms import Room, Use
from simulators.scenario import SiteSpec


class World:
    """Makes each place once.

    Args:
        sites: of the scenario.
        seed: of the run.
    """

    def __init__(self, sites: tuple[SiteSpec, ...], *, seed: int) -> None:
        self._seed = seed
        self._zones = {site.id: ZoneInfo(site.zone) for site in sites}
        self._weather = {
            site.id: Weather(
                site.climate,
                latitude=site.latitude,
                longitude=site.longitude,
                seed=seed,
                site=site.id,
            )
            for site in sites
        }
        self._rooms: dict[tuple[str, str, str], Room] = {}

    def zone(self, site: str) -> ZoneInfo:
        """Return the time zone of `site`."""
        return self._zones[site]

    def weather(self, site: str) -> Weather:
        """Return the weather over `site`."""
        return self._weather[site]

    def room(self, *, site: str, building: str, zone: str, use: Use) -> Room:
        """Return the room: the same one to every device in it."""
        key = (site, building, zone)
        found = self._rooms.get(key)
        if found is None:
            found = Room(
                site=site,
                building=building,
                zone=zone,
                use=use,
                time_zone=self._zones[site],
                weather=self._weather[site],
                seed=self._seed,
            )
            self._rooms[key] = found
        return found
