"""Profiles, each version kept, and the topics they are bound to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, select

from core.clock import Clock
from core.errors import ConfigurationError, ConflictError, NotFoundError
from core.identity import checked_slug
from core.message import MessageKind
from devices.registry.database import Database, bump
from devices.registry.records import Binding, ProfileVersion
from devices.registry.rows import insert_rows, upsert
from devices.registry.tables import NAME, bindings, profiles, sites
from devices.registry.text import check_text, storable
from devices.topics import Router, Template

_LONGEST_SOURCE = 1_000_000


class ProfileRepository:
    """The profiles and bindings of the registry."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def current(self) -> list[ProfileVersion]:
        """Return the newest version of every profile, by name."""
        newest = (
            select(profiles.c.name, func.max(profiles.c.version).label("version"))
            .group_by(profiles.c.name)
            .subquery()
        )
        query = (
            select(profiles)
            .join(
                newest,
                (profiles.c.name == newest.c.name) & (profiles.c.version == newest.c.version),
            )
            .order_by(profiles.c.name)
        )
        with self._database.read() as connection:
            return [_version(row) for row in connection.execute(query).mappings()]

    def history(self, name: str) -> list[ProfileVersion]:
        """Return every version of one profile, oldest first.

        Raises:
            NotFoundError: there is none of that name.
        """
        with self._database.read() as connection:
            found = _history(connection, name)
        if not found:
            raise NotFoundError(
                f"there is no profile {name[:80]!r}; see `passerelle profiles list`"
            )
        return found

    def put(self, profile: ProfileVersion) -> ProfileVersion:
        """Keep a profile: a new version when the text is not that of the newest one.

        Version, digest and time are the registry's own; those given are not looked at.

        Raises:
            ConfigurationError: its name is not a slug, or its text cannot be kept.
        """
        checked = _checked(profile)
        with self._database.change() as connection:
            history = _history(connection, checked.name)
            if history and history[-1].source == checked.source:
                return history[-1]
            made = self._append(connection, checked, history)
            bump(connection)
        return made

    def bindings(self) -> list[Binding]:
        """Return every binding, by template."""
        with self._database.read() as connection:
            return _bindings(connection)

    def bind(self, binding: Binding) -> Binding:
        """Bind a topic template to a profile, or change how the same profile reads it.

        Raises:
            ConfigurationError: it is not a template, the profile or the site does not exist, or
                no decoder could tell its topics from those of another binding.
            ConflictError: the template is bound to another profile.
        """
        template = _template(binding)
        with self._database.change() as connection:
            known = {one.template: one for one in _bindings(connection)}
            before = known.get(binding.template)
            if before == binding:
                return binding
            if before is not None and before.profile != binding.profile:
                raise ConflictError(
                    f"topic {binding.template!r} is bound to profile {before.profile!r} already; "
                    "unbind it first"
                )
            _require_named(connection, binding)
            others = [_template(one) for one in known.values() if one != before]
            Router([*others, template])
            upsert(connection, bindings, [msgspec.structs.asdict(binding)])
            bump(connection)
        return binding

    def unbind(self, template: str) -> None:
        """Take a binding away.

        Raises:
            NotFoundError: there is none of that template.
        """
        with self._database.change() as connection:
            ours = bindings.c.template == storable(template)
            if not connection.execute(delete(bindings).where(ours)).rowcount:
                raise NotFoundError(f"no profile is bound to {template[:200]!r}")
            bump(connection)

    def seed(self, wanted: Iterable[ProfileVersion], bound: Iterable[Binding]) -> None:
        """Add profiles whose text was never kept, and bindings whose template is free.

        What an operator put in the place of a shipped profile or binding stays. Nothing is locked
        when there is nothing to add.

        Raises:
            ConfigurationError: a profile or binding cannot be kept.
        """
        checked = [_checked(profile) for profile in wanted]
        templates = {binding.template: binding for binding in bound}
        for binding in templates.values():
            _template(binding)
        with self._database.read() as connection:
            if not any(_lacking(connection, checked, templates)):
                return
        with self._database.change() as connection:
            new, free = _lacking(connection, checked, templates)
            for profile in new:
                self._append(connection, profile, _history(connection, profile.name))
            insert_rows(connection, bindings, [msgspec.structs.asdict(one) for one in free])
            if new or free:
                bump(connection)

    def _append(
        self, connection: Connection, profile: ProfileVersion, history: Sequence[ProfileVersion]
    ) -> ProfileVersion:
        made = msgspec.structs.replace(
            profile,
            version=history[-1].version + 1 if history else 1,
            created_ns=self._clock.now_ns(),
        )
        insert_rows(connection, profiles, [msgspec.structs.asdict(made)])
        return made


def _checked(profile: ProfileVersion) -> ProfileVersion:
    name = checked_slug(profile.name, what="profile")
    what = f"the text of profile {name!r}"
    source = check_text(profile.source, what=what, longest=_LONGEST_SOURCE)
    digest = hashlib.sha256(source.encode()).hexdigest()
    return msgspec.structs.replace(profile, sha256=digest)


def _template(binding: Binding) -> Template:
    check_text(binding.template, what=f"topic template {binding.template[:80]!r}", longest=NAME)
    try:
        kind = MessageKind(binding.kind)
    except ValueError:
        raise ConfigurationError(
            f"topic {binding.template!r}: kind {binding.kind[:40]!r} is none of "
            f"{', '.join(MessageKind)}"
        ) from None
    return Template(binding.template, kind=kind, profile=binding.profile, site=binding.site)


def _require_named(connection: Connection, binding: Binding) -> None:
    if not _history(connection, binding.profile):
        raise ConfigurationError(
            f"topic {binding.template!r}: there is no profile {binding.profile[:80]!r}; "
            "see `passerelle profiles list`"
        )
    named = sites.c.id == storable(binding.site)
    if binding.site and connection.execute(select(sites.c.id).where(named)).first() is None:
        raise ConfigurationError(
            f"topic {binding.template!r}: there is no site {binding.site[:80]!r}; see /v1/sites"
        )


def _lacking(
    connection: Connection, wanted: Sequence[ProfileVersion], bound: dict[str, Binding]
) -> tuple[list[ProfileVersion], list[Binding]]:
    columns = profiles.c
    names = sorted({profile.name for profile in wanted})
    rows = connection.execute(select(columns.name, columns.sha256).where(columns.name.in_(names)))
    kept = {(name, digest) for name, digest in rows}
    taken = set(connection.execute(select(bindings.c.template)).scalars())
    return (
        [profile for profile in wanted if (profile.name, profile.sha256) not in kept],
        [binding for template, binding in bound.items() if template not in taken],
    )


def _bindings(connection: Connection) -> list[Binding]:
    query = select(bindings).order_by(bindings.c.template)
    return [Binding(**row) for row in connection.execute(query).mappings()]


def _history(connection: Connection, name: str) -> list[ProfileVersion]:
    query = select(profiles).where(profiles.c.name == storable(name)).order_by(profiles.c.version)
    return [_version(row) for row in connection.execute(query).mappings()]


def _version(row: Any) -> ProfileVersion:
    return ProfileVersion(**row)
