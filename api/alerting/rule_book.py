"""Rules of the registry as they were parsed: a version never changes, so it is read once."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

from alerts.rules.looks_at import about_health
from alerts.rules.model import Rule
from alerts.rules.source import parse_rule
from core.errors import NotFoundError, RuleError
from devices.registry import Registry
from devices.registry.alert_records import RuleVersion
from devices.registry.rules import PLATFORM

ORIGIN = "rule"
"""What errors of a rule that came in a request begin with."""
_KEPT = 5000


class _Known(NamedTuple):
    """Whether a rule is about health, as it was at a revision of the registry."""

    revision: int
    newest: int
    about: bool


class RuleBook:
    """Parsed rules. Used from many threads.

    Args:
        registry: where they are kept.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = Lock()
        self._parsed: OrderedDict[tuple[str, int], Rule | None] = OrderedDict()
        self._health: OrderedDict[str, _Known] = OrderedDict()

    def parsed(self, version: RuleVersion) -> Rule | None:
        """Return the rule of a version, or None when it cannot be used any more."""
        key = (version.name, version.version)
        with self._lock:
            if key in self._parsed:
                self._parsed.move_to_end(key)
                return self._parsed[key]
        try:
            found = parse_rule(version.source, origin=version.name)
        except RuleError:  # written for an older Passerelle
            found = None
        with self._lock:
            self._parsed[key] = found
            while len(self._parsed) > _KEPT:
                self._parsed.popitem(last=False)
        return found

    def version(self, name: str, version: int | None = None) -> tuple[RuleVersion, Rule | None]:
        """Return a version of a rule (None: the newest) as it was kept, and parsed.

        Raises:
            NotFoundError: there is none.
        """
        found = self._registry.rules.get(name, version)
        return found, self.parsed(found)

    def rule(self, name: str, version: int) -> Rule | None:
        """Return a version of a rule, or None when there is none, or none that can be used."""
        with self._lock:
            if (name, version) in self._parsed:
                return self._parsed[name, version]
        if name.startswith(PLATFORM):
            return None
        try:
            return self.version(name, version)[1]
        except NotFoundError:
            return None

    def about_health(self, name: str, version: int = 0, *, unknown: bool = True) -> bool:
        """Return whether a rule looks, or ever looked, at vital signs or persons.

        One that cannot be read is taken to.

        Args:
            name: of the rule.
            version: one that is known to exist; 0: none is.
            unknown: what is said of a rule that there is not, and never was.
        """
        if name.startswith(PLATFORM):
            return False
        revision = self._registry.recent_revision()
        with self._lock:
            found = self._health.get(name)
        if found is not None and found.revision == revision and version <= found.newest:
            return found.about
        try:
            versions = self._registry.rules.versions(name)
        except NotFoundError:
            return unknown
        about = any(map(self._is_about_health, versions))
        with self._lock:
            self._health[name] = _Known(revision, versions[0].version, about)
            while len(self._health) > _KEPT:
                self._health.popitem(last=False)
        return about

    def _is_about_health(self, version: RuleVersion) -> bool:
        rule = self.parsed(version)
        return rule is None or about_health(rule)
