"""Alert rules as they were written: every version is kept, none is ever changed.

A rule that is switched off or deleted is a new version that says so, with who did it and why. What
a rule means is `alerts.rules`' matter: the registry keeps its text.
"""

from __future__ import annotations

import builtins
from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from core.clock import Clock
from core.errors import ConfigurationError, ConflictError, NotFoundError
from core.identity import checked_slug
from devices.registry.alert_records import RuleState, RuleVersion
from devices.registry.database import Database, bump
from devices.registry.rows import insert_rows
from devices.registry.rule_tables import alert_rules
from devices.registry.text import check_text, storable

LONGEST_SOURCE = 200_000
"""Longest text of a rule, characters."""
LONGEST_REASON = 2000
"""Longest reason of a change, characters."""
PLATFORM = "platform."
"""How the names of the platform's own alarms begin; no rule is called so."""
IN_USE = (RuleState.ACTIVE, RuleState.DISABLED)
"""States of a rule that is there."""


class RuleRepository:
    """The alert rules of the registry."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def put(
        self,
        name: str,
        source: str,
        *,
        author: str,
        reason: str,
        state: RuleState = RuleState.ACTIVE,
        expected: int | None = None,
    ) -> RuleVersion:
        """Keep a new version of a rule, also where its text stays: it says who wants it, and why.

        Args:
            name: slug of the rule.
            source: its YAML text.
            author: who writes this version.
            reason: why.
            state: whether the rule counts from now on.
            expected: the version that has to be the newest one; 0: the name has to be free, which
                it is too when its rule was deleted; None: whatever there is.

        Raises:
            ConfigurationError: the name is not a slug or is the platform's own, or a text is
                missing or cannot be kept.
            ConflictError: another version is the newest one, or the name is not free.
        """
        made = RuleVersion(
            name=_checked_name(name),
            version=1,
            source=_said(source, what=f"rule {name!r}: its text", longest=LONGEST_SOURCE),
            author=_said(author, what=f"rule {name!r}: the author"),
            reason=_said(reason, what=f"rule {name!r}: the reason", longest=LONGEST_REASON),
            created_ns=self._clock.now_ns(),
            state=RuleState(state).value,
        )
        with self._database.change() as connection:
            before = _newest(connection, name)
            if expected is not None:
                _require(before, name=name, expected=expected)
            if before is not None:
                made = msgspec.structs.replace(made, version=before.version + 1)
            insert_rows(connection, alert_rules, [msgspec.structs.asdict(made)])
            bump(connection)
        return made

    def get(self, name: str, version: int | None = None) -> RuleVersion:
        """Return one version of a rule; None: the newest, which may say that it was deleted.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.read() as connection:
            found = _newest(connection, name, version=version)
        if found is None:
            raise unknown_rule(name, version)
        return found

    def newest(self, *, states: Collection[RuleState] = IN_USE) -> builtins.list[RuleVersion]:
        """Return the newest version of every rule that is in one of these states, by name."""
        columns = alert_rules.c
        newest = (
            select(columns.name, func.max(columns.version).label("version"))
            .group_by(columns.name)
            .subquery()
        )
        query = (
            select(alert_rules)
            .join(
                newest,
                (columns.name == newest.c.name) & (columns.version == newest.c.version),
            )
            .where(columns.state.in_(sorted(RuleState(one).value for one in states)))
            .order_by(columns.name)
        )
        with self._database.read() as connection:
            return [_version(row) for row in connection.execute(query).mappings()]

    def versions(self, name: str) -> builtins.list[RuleVersion]:
        """Return every version of a rule, newest first.

        Raises:
            NotFoundError: there is none of that name.
        """
        columns = alert_rules.c
        query = (
            select(alert_rules)
            .where(columns.name == storable(name))
            .order_by(columns.version.desc())
        )
        with self._database.read() as connection:
            found = [_version(row) for row in connection.execute(query).mappings()]
        if not found:
            raise unknown_rule(name)
        return found


def unknown_rule(name: str, version: int | None = None) -> NotFoundError:
    """Return what is said of a rule, or a version of one, that does not exist."""
    which = "" if version is None else f", version {version}"
    return NotFoundError(f"there is no rule {name[:80]!r}{which}")


def _checked_name(name: str) -> str:
    if checked_slug(name, what="rule").startswith(PLATFORM):
        raise ConfigurationError(
            f"rule name {name!r} begins with {PLATFORM!r}, as only the platform's own alarms do; "
            "choose another"
        )
    return name


def _said(text: str, *, what: str, longest: int = 200) -> str:
    if not text.strip():
        raise ConfigurationError(f"{what} is missing")
    return check_text(text, what=what, longest=longest)


def _require(before: RuleVersion | None, *, name: str, expected: int) -> None:
    there = before is not None and before.state != RuleState.DELETED
    if expected == 0 and not there:
        return
    if before is None:
        raise ConflictError(f"rule {name!r}: version {expected} was expected, but there is none")
    if before.version != expected:
        wanted = "none" if expected == 0 else f"version {expected}"
        raise ConflictError(
            f"rule {name!r}: {wanted} was expected, but there is version {before.version} by "
            f"{before.author}; look at it and try again"
        )


def _newest(connection: Connection, name: str, *, version: int | None = None) -> RuleVersion | None:
    columns = alert_rules.c
    query = select(alert_rules).where(columns.name == storable(name))
    if version is not None:
        query = query.where(columns.version == version)
    query = query.order_by(columns.version.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else _version(row)


def _version(row: Any) -> RuleVersion:
    return RuleVersion(**row)
