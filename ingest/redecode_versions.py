"""What each version of a profile makes of a message: judged as a worker would, without a trace."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec

from core.clock import NS_PER_HOUR
from core.errors import ConfigurationError, NotFoundError
from devices.decoder import Decoder, Limits
from devices.registry import Registry
from devices.registry.records import ProfileVersion
from ingest.arrival import Arrival
from ingest.directory import Directory, Snapshot, take_snapshot
from ingest.duplicates import DuplicateWindow
from ingest.judge import Judge, Verdict
from ingest.progress import ProgressTable
from ingest.validate import ClockPolicy

_LATE_NS = NS_PER_HOUR
"""How long after a new version a worker may still have used the one before it."""


class ProfileJudges:
    """The versions of one profile, with the topics and devices that the registry has now.

    Args:
        registry: the profiles, bindings and devices.
        profile: its name.
        version: the one to decode with; None: the newest.
        limits: bounds of a payload.
        clock: which device times are trusted.

    Attributes:
        version: the one decoded with.
        unusable: (version, why) of those that the topics bound now do not fit: what they gave is
            not known.

    Raises:
        NotFoundError: there is no such profile or version.
        ConfigurationError: that version cannot be used.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        profile: str,
        version: int | None,
        limits: Limits,
        clock: ClockPolicy,
    ) -> None:
        self._history = registry.profiles.history(profile)
        chosen = [one for one in self._history if version in (None, one.version)]
        if not chosen:
            known = ", ".join(str(one.version) for one in self._history)
            raise NotFoundError(f"profile {profile} has no version {version}; it has {known}")
        self.version = chosen[-1].version
        self.unusable: list[tuple[int, str]] = []
        self._profile = profile
        self._limits = limits
        self._clock = clock
        self._snapshot = take_snapshot(registry, limits=limits)
        self._bindings = [one for one in registry.profiles.bindings() if one.profile == profile]
        self._sites = {site.id: ZoneInfo(site.zone) for site in registry.sites.list()}
        self._topics: dict[bytes, bool] = {}
        self._new = self._judge(chosen[-1])
        self._others: dict[int, Judge] = {}
        for one in self._history:
            if one.source == chosen[-1].source:
                continue
            try:
                self._others[one.version] = self._judge(one)
            except ConfigurationError as error:
                self.unusable.append((one.version, error.detail))

    def concerns(self, topic: bytes) -> bool:
        """Say whether a topic is bound to the profile."""
        known = self._topics.get(topic)
        if known is None:
            known = self._topics[topic] = self._bound(topic)
        return known

    def new(self, arrival: Arrival) -> Verdict:
        """Return what the version decoded with makes of a message."""
        return self._new.judge(arrival, replayed=True, rewritten=True)

    def earlier(self, arrival: Arrival) -> list[Verdict]:
        """Return what the other versions in force since a message came made of it, or may have."""
        began = [one for one in self._history if one.created_ns <= arrival.received_ns - _LATE_NS]
        first = began[-1].version if began else 0
        return [
            judge.judge(arrival, replayed=True, rewritten=True)
            for version, judge in self._others.items()
            if version >= first
        ]

    def _bound(self, topic: bytes) -> bool:
        try:
            name = self._snapshot.decoder.locate(topic.decode())
        except ValueError:  # not UTF-8, or a name that cannot be stored
            return False
        return name is not None and name[0] == self._profile

    def _judge(self, version: ProfileVersion) -> Judge:
        decoder = Decoder(
            profiles=[version], bindings=self._bindings, sites=self._sites, limits=self._limits
        )
        return judge_of(msgspec.structs.replace(self._snapshot, decoder=decoder), clock=self._clock)


def judge_of(snapshot: Snapshot, *, clock: ClockPolicy) -> Judge:
    """Return a judge that remembers nothing and registers nobody."""
    return Judge(
        directory=Directory(snapshot),
        window=DuplicateWindow(max_messages=0, max_age_s=0.0),
        progress=ProgressTable(load=lambda _site, _device: None),
        clock=clock,
        enrol=False,
    )
