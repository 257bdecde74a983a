"""Profiles, each version kept, and the topics they are bound to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from core.clock import Clock
from core.errors import ConflictError, NotFoundError
from devices.registry.database import Database, bump
from devices.registry.records import Binding, ProfileVersion
from devices.registry.tables import bindings, profiles


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
            raise NotFoundError(f"there is no profile {name[:80]!r}")
        return found

    def put(self, profile: ProfileVersion) -> ProfileVersion:
        """Keep a profile: a new version when the text is not that of the newest one."""
        with self._database.write() as connection:
            history = _history(connection, profile.name)
            if history and history[-1].sha256 == profile.sha256:
                return history[-1]
            made = self._append(connection, profile, history)
            bump(connection)
        return made

    def bindings(self) -> list[Binding]:
        """Return every binding, by template."""
        with self._database.read() as connection:
            rows = connection.execute(select(bindings).order_by(bindings.c.template)).mappings()
            return [Binding(**row) for row in rows]

    def bind(self, binding: Binding) -> Binding:
        """Bind a topic template to a profile.

        Raises:
            ConflictError: the template is bound already.
        """
        try:
            with self._database.write() as connection:
                found = (
                    connection.execute(
                        select(bindings).where(bindings.c.template == binding.template)
                    )
                    .mappings()
                    .first()
                )
                if found is not None and Binding(**found) == binding:
                    return binding
                connection.execute(insert(bindings).values(msgspec.structs.asdict(binding)))
                bump(connection)
        except IntegrityError:
            raise ConflictError(
                f"the topic {binding.template!r} is bound to another profile already; unbind it"
            ) from None
        return binding

    def unbind(self, template: str) -> None:
        """Take a binding away.

        Raises:
            NotFoundError: there is none of that template.
        """
        with self._database.write() as connection:
            gone = connection.execute(delete(bindings).where(bindings.c.template == template))
            if not gone.rowcount:
                raise NotFoundError(f"no profile is bound to {template[:200]!r}")
            bump(connection)

    def seed(self, wanted: Iterable[ProfileVersion], bound: Iterable[Binding]) -> None:
        """Add profiles whose text was never kept, and bindings whose template is free.

        What an operator put in the place of a shipped profile or binding stays.
        """
        changed = False
        with self._database.write() as connection:
            for profile in wanted:
                history = _history(connection, profile.name)
                if all(one.sha256 != profile.sha256 for one in history):
                    self._append(connection, profile, history)
                    changed = True
            known = set(connection.execute(select(bindings.c.template)).scalars())
            for binding in bound:
                if binding.template not in known:
                    connection.execute(insert(bindings).values(msgspec.structs.asdict(binding)))
                    changed = True
            if changed:
                bump(connection)

    def _append(
        self, connection: Connection, profile: ProfileVersion, history: list[ProfileVersion]
    ) -> ProfileVersion:
        made = msgspec.structs.replace(
            profile,
            version=history[-1].version + 1 if history else 1,
            created_ns=self._clock.now_ns(),
        )
        connection.execute(insert(profiles).values(msgspec.structs.asdict(made)))
        return made


def _history(connection: Connection, name: str) -> list[ProfileVersion]:
    query = select(profiles).where(profiles.c.name == name).order_by(profiles.c.version)
    return [_version(row) for row in connection.execute(query).mappings()]


def _version(row: Any) -> ProfileVersion:
    return ProfileVersion(**row)
