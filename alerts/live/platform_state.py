"""The platform as a cause of alarms: nobody is heard, a stream has holes, rules cannot be used."""

from __future__ import annotations

from collections.abc import Mapping

from alerts.lifecycle import Lifecycle

DEAF, GAP, UNUSABLE = "deaf", "stream_gap", "rules_unusable"


class PlatformState:
    """Raises and ends the platform's own alarms, each when it changes.

    Args:
        lifecycle: makes alerts of them.
    """

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._said: dict[str, Mapping[str, str | float]] = {}

    def say(
        self, kind: str, subject: str, *, active: bool, facts: Mapping[str, str | float]
    ) -> None:
        """Say whether something is wrong; what was said already is not said again.

        Args:
            kind: of alarm.
            subject: what is concerned: a worker, a rule, or "".
            active: whether it is.
            facts: what a reader wants to know.

        Raises:
            LeaseLostError: another process judges rules by now.
            RegistryUnavailableError: it was not written; say it again.
        """
        key = f"{kind} {subject}"
        if active == (key in self._said):
            return
        self._lifecycle.platform(kind, subject, active=active, facts=facts)
        if active:
            self._said[key] = facts
        else:
            del self._said[key]

    def resume(self, names: Mapping[str, str]) -> None:
        """Take over what another process said: (kind, subject) of the alarms that go on."""
        for key in names:
            self._said.setdefault(key, {})

    def of(self, kind: str) -> list[str]:
        """Return of what an alarm of a kind goes on."""
        return [key.partition(" ")[2] for key in self._said if key.startswith(f"{kind} ")]
