"""Scenario files: which sites, which devices, and what goes wrong. Strict; an error names its line.

Documented in `docs/simulators.md`; the shipped ones are in `simulators/scenarios`.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from core.errors import ConfigurationError
from core.identity import checked_slug
from simulators.climate import CLIMATES, Climate
from simulators.durations import parse_duration
from simulators.formats.catalogue import WIRES
from simulators.formats.wire import FieldFault
from simulators.malformed import Malformation
from simulators.sensors import SENSORS
from simulators.yaml_source import read_yaml

_MOST_DEVICES = 1_000_000

_PLACES: dict[str, frozenset[str]] = {
    "zigbee2mqtt": frozenset({"thermometer", "room_climate", "motion", "door", "power_meter"}),
    "tasmota": frozenset({"thermometer", "room_climate", "power_meter"}),
}


def _slug(name: str) -> str:
    try:
        return checked_slug(name, what="scenario")
    except ConfigurationError as error:
        raise ValueError(error.detail) from None


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone such as Africa/Tunis") from None
    return name


def _climate(given: object) -> object:
    if isinstance(given, str):
        if given not in CLIMATES:
            raise ValueError(f"no climate {given!r}; there are {', '.join(CLIMATES)}")
        return CLIMATES[given]
    return given


Slug = Annotated[str, AfterValidator(_slug)]
Seconds = Annotated[float, BeforeValidator(parse_duration)]
Probability = Annotated[float, Field(ge=0, le=1)]
FaultName = Literal[
    "duplicate", "reorder", "malformed", "defective", "gap", "offline", "wrong_clock", "reboot"
]
ClockFault = Literal["epoch", "future", "offset"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteSpec(_Part):
    """A site and its weather."""

    id: Slug
    zone: Annotated[str, AfterValidator(_zone)]
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    climate: Annotated[Climate, BeforeValidator(_climate)]


class Group(_Part):
    """Devices of one kind at one site."""

    site: str
    kind: str
    format: str
    count: int = Field(ge=1, le=_MOST_DEVICES)
    interval: Seconds = 60.0
    name: Slug | None = Field(None, description="Part of the device names; default: kind, format.")
    use: Literal["office", "home"] = "office"
    batch: int = Field(1, ge=1, le=500, description="Measurements in one message.")

    @property
    def label(self) -> str:
        """The part of the device names that tells this group from others of its site."""
        return self.name or f"{self.kind}-{self.format}".replace("_", "-")

    @model_validator(mode="after")
    def _fits(self) -> Group:
        if self.kind not in SENSORS:
            raise ValueError(f"no kind {self.kind!r}; there are {', '.join(SENSORS)}")
        if self.format not in WIRES:
            raise ValueError(f"no format {self.format!r}; there are {', '.join(WIRES)}")
        kinds = _PLACES.get(self.format)
        if kinds is not None and self.kind not in kinds:
            raise ValueError(f"{self.format} carries {', '.join(sorted(kinds))}, not {self.kind}")
        wire = WIRES[self.format]
        if self.interval < wire.shortest_interval_s:
            raise ValueError(f"interval must be at least {wire.shortest_interval_s:g} s")
        if self.batch > 1 and not wire.batches:
            raise ValueError(f"{self.format} has no batches: leave out batch")
        return self


class Episode(_Part):
    """A fault that lasts for a while.

    Attributes:
        probability: that it begins at a measurement.
        duration: shortest and longest, in simulated time.
    """

    probability: Probability = 0.0
    duration: tuple[Seconds, Seconds] = (120.0, 900.0)

    @model_validator(mode="after")
    def _ordered(self) -> Episode:
        if self.duration[0] > self.duration[1]:
            raise ValueError("duration must be [shortest, longest]")
        return self


class ClockEpisode(Episode):
    """A clock that is wrong for a while: at 1970, in 2100, or an hour behind."""

    kinds: tuple[ClockFault, ...] = Field(("epoch", "future", "offset"), min_length=1)


class Malformed(_Part):
    """Messages that cannot be decoded."""

    probability: Probability = 0.0
    kinds: tuple[Malformation, ...] = Field(tuple(Malformation), min_length=1)


class Defective(_Part):
    """Messages of which one field cannot be used."""

    probability: Probability = 0.0
    kinds: tuple[FieldFault, ...] = Field(tuple(FieldFault), min_length=1)


class Faults(_Part):
    """What goes wrong by itself; probabilities are for each message of each device."""

    duplicate: Probability = 0.0
    reorder: Probability = 0.0
    reboot: Probability = 0.0
    malformed: Malformed = Malformed()
    defective: Defective = Defective()
    gap: Episode = Episode()
    offline: Episode = Episode()
    wrong_clock: ClockEpisode = ClockEpisode()


class Scheduled(_Part):
    """What goes wrong at a given moment.

    Attributes:
        at: how long after the start, in simulated time.
        fault: which one.
        devices: a pattern of device names; `*` and `?` as in file names.
        duration: for gap, offline and wrong_clock.
        kind: for malformed, defective and wrong_clock; default: any.
    """

    at: Seconds
    fault: FaultName
    devices: str = "*"
    duration: Seconds = 300.0
    kind: str | None = None

    @model_validator(mode="after")
    def _kind_fits(self) -> Scheduled:
        known: dict[str, list[str]] = {
            "malformed": list(Malformation),
            "defective": list(FieldFault),
            "wrong_clock": ["epoch", "future", "offset"],
        }
        if self.kind is not None and self.kind not in known.get(self.fault, []):
            kinds = ", ".join(known.get(self.fault, [])) or "none"
            raise ValueError(f"{self.fault} has no kind {self.kind!r}; it has {kinds}")
        return self


class Scenario(_Part):
    """A whole scenario.

    Attributes:
        name: for reports and client names.
        description: for people.
        seed: what makes one run like another.
        qos: 1, or 0 to be quick and uncertain.
        status: whether devices publish online when the run begins and offline when it ends.
        sites: at least one.
        groups: at least one.
        faults: by chance.
        schedule: at given moments.
    """

    name: Slug
    description: str = ""
    seed: int = Field(1, ge=0)
    qos: Literal[0, 1] = 1
    status: bool = True
    sites: tuple[SiteSpec, ...] = Field(min_length=1)
    groups: tuple[Group, ...] = Field(min_length=1)
    faults: Faults = Faults()
    schedule: tuple[Scheduled, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Scenario:
        sites = [site.id for site in self.sites]
        if len(set(sites)) != len(sites):
            raise ValueError("a site stands here twice")
        labels = [(group.site, group.label) for group in self.groups]
        for group in self.groups:
            if group.site not in sites:
                raise ValueError(f"group {group.label}: no site {group.site!r} in this file")
            if labels.count((group.site, group.label)) > 1:
                raise ValueError(
                    f"two groups of {group.site} are called {group.label}; give them a name each"
                )
        return self


def shipped_scenarios() -> tuple[str, ...]:
    """Return the names of the scenarios that come with Passerelle."""
    folder = resources.files("simulators") / "scenarios"
    return tuple(
        sorted(
            entry.name.removesuffix(".yaml")
            for entry in folder.iterdir()
            if entry.name.endswith(".yaml")
        )
    )


def load_scenario(name_or_path: str) -> Scenario:
    """Return a shipped scenario by name, or one from a file.

    Raises:
        ConfigurationError: there is none, or it is wrong (file, line and field are named).
    """
    if name_or_path in shipped_scenarios():
        file = resources.files("simulators") / "scenarios" / f"{name_or_path}.yaml"
        return read_yaml(file.read_text("utf-8"), Scenario, name=f"{name_or_path}.yaml")
    path = Path(name_or_path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            f"scenario {name_or_path!r}: {reason}; "
            f"give a file or one of {', '.join(shipped_scenarios())}"
        ) from None
    return read_yaml(text, Scenario, name=path.name)
