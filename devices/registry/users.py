"""Users: people, or programs with several keys, and what they may do."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from core.access import Grant
from core.clock import Clock
from core.errors import ConflictError, NotFoundError
from core.identity import checked_slug
from devices.registry.access_records import User
from devices.registry.database import Database
from devices.registry.grants import held, hold
from devices.registry.rows import insert_rows
from devices.registry.tables import SUBJECT, users
from devices.registry.text import check_text, storable


class UserRepository:
    """The users of the registry. None is ever deleted: the audit names them."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(
        self, user: str, *, name: str, subject: str | None = None, grants: Sequence[Grant] = ()
    ) -> User:
        """Make a user.

        Args:
            user: slug, such as `amina`.
            name: for people.
            subject: who it is at the identity provider, `ISSUER#SUBJECT`; None: nobody there.
            grants: what the user may do.

        Raises:
            ConfigurationError: the slug or the name is none.
            ConflictError: there is a user of that slug, or of that subject.
            NotFoundError: a site is not known.
        """
        row = {
            "id": checked_slug(user, what="user"),
            "name": check_text(name.strip() or user, what="the name of a user"),
            "subject": subject or None,
            "created_ns": self._clock.now_ns(),
            "disabled_ns": None,
        }
        with self._database.write() as connection:
            if _row(connection, user) is not None:
                raise ConflictError(f"there is a user {user!r} already")
            _free(connection, subject, user)
            insert_rows(connection, users, [row])
            hold(connection, "user", user, grants)
            return known_user(connection, user)

    def change(
        self,
        user: str,
        *,
        name: str | None = None,
        subject: str | None = None,
        disabled: bool | None = None,
        grants: Sequence[Grant] | None = None,
    ) -> User:
        """Change what is given of a user; None leaves it as it is.

        Args:
            user: slug.
            name: for people.
            subject: who it is at the identity provider; "": nobody there any more.
            disabled: shut out with every key, or let in again.
            grants: all that the user may do from now on.

        Raises:
            NotFoundError: there is no such user, or a site is not known.
            ConflictError: another user has that subject.
        """
        values: dict[str, Any] = {}
        if name is not None:
            values["name"] = check_text(name.strip() or user, what="the name of a user")
        if subject is not None:
            values["subject"] = check_text(subject, what="a subject", longest=SUBJECT) or None
        with self._database.write() as connection:
            before = known_user(connection, user)
            _free(connection, subject, before.id)
            if disabled is not None and disabled != (before.disabled_ns is not None):
                values["disabled_ns"] = self._clock.now_ns() if disabled else None
            if values:
                connection.execute(update(users).where(users.c.id == before.id).values(**values))
            if grants is not None:
                hold(connection, "user", before.id, grants)
            return known_user(connection, before.id)

    def get(self, user: str) -> User:
        """Return a user.

        Raises:
            NotFoundError: there is none of that slug.
        """
        with self._database.read() as connection:
            return known_user(connection, user)

    def of_subject(self, subject: str) -> User | None:
        """Return who somebody at the identity provider is here, or None."""
        with self._database.read() as connection:
            query = select(users.c.id).where(users.c.subject == storable(subject))
            found = connection.execute(query).scalar()
            return None if found is None else known_user(connection, found)

    def list(self) -> builtins.list[User]:
        """Return every user, by slug."""
        with self._database.read() as connection:
            rows = connection.execute(select(users).order_by(users.c.id)).mappings().all()
            grants = held(connection, "user", [row["id"] for row in rows])
            return [_user(row, grants.get(row["id"], ())) for row in rows]


def known_user(connection: Connection, user: str) -> User:
    """Return a user, within a transaction.

    Raises:
        NotFoundError: there is none of that slug.
    """
    row = _row(connection, user)
    if row is None:
        raise NotFoundError(f"there is no user {user[:80]!r}; see `passerelle users list`")
    return _user(row, held(connection, "user", [row["id"]]).get(row["id"], ()))


def _row(connection: Connection, user: str) -> Any:
    query = select(users).where(users.c.id == storable(user))
    return connection.execute(query).mappings().first()


def _free(connection: Connection, subject: str | None, user: str) -> None:
    if not subject:
        return
    query = select(users.c.id).where(users.c.subject == storable(subject), users.c.id != user)
    other = connection.execute(query).scalar()
    if other is not None:
        raise ConflictError(f"the user {other!r} is that subject already")


def _user(row: Any, grants: tuple[Grant, ...]) -> User:
    return User(
        id=row["id"],
        name=row["name"],
        subject=row["subject"],
        grants=grants,
        created_ns=row["created_ns"],
        disabled_ns=row["disabled_ns"],
    )
