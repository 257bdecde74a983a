"""API keys: `psl_ID_SECRET`. The secret is 256 random bits; only its SHA-256 is kept.

A slow hash is for secrets that people choose; this one cannot be guessed, and is checked on every
request.
"""

from __future__ import annotations

import builtins
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from core.access import Grant, Permission
from core.clock import NS_PER_S, Clock
from core.errors import ConfigurationError, ConflictError, NotFoundError
from devices.registry.database import Database
from devices.registry.errors import RegistryUnavailableError
from devices.registry.grants import held, hold
from devices.registry.records import ApiKey
from devices.registry.rows import insert_rows
from devices.registry.tables import api_keys
from devices.registry.text import check_text, storable
from devices.registry.users import known_user

_PREFIX = "psl"
_USED_EVERY_NS = 60 * NS_PER_S
_PARTS = 3


class KeyRepository:
    """The API keys of the registry."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(
        self,
        name: str,
        *,
        grants: Sequence[Grant],
        user: str | None = None,
        scopes: Iterable[Permission] | None = None,
        expires_ns: int | None = None,
    ) -> tuple[str, ApiKey]:
        """Make a key; return it in plain text, which is never shown again, and its record.

        Args:
            name: who or what uses it, for people.
            grants: what it may do. For a key of a user: none of its own means all of the user's.
            user: the user it belongs to.
            scopes: the only permissions that it uses; None: all that it has.
            expires_ns: from when on it is useless, nanoseconds since the epoch; None: never.

        Raises:
            ConfigurationError: the name is empty or too long, there is nothing that the key could
                do, or it would have expired already.
            NotFoundError: the user or a site is not known.
        """
        if not name.strip():
            raise ConfigurationError("an API key needs a name that tells people who uses it")
        if user is None and not grants:
            raise ConfigurationError("an API key needs a role, or a user that it belongs to")
        if expires_ns is not None and expires_ns <= self._clock.now_ns():
            raise ConfigurationError("an API key cannot expire in the past")
        chosen = None if scopes is None else frozenset(scopes)
        if chosen is not None and not chosen:
            raise ConfigurationError(
                "an API key without any scope could do nothing; leave scopes out"
            )
        with self._database.write() as connection:
            return self._insert(
                connection,
                name=check_text(name.strip(), what="the name of an API key"),
                grants=tuple(grants),
                user=None if user is None else known_user(connection, user).id,
                scopes=chosen,
                expires_ns=expires_ns,
            )

    def rotate(
        self, key: str, *, grace_s: float, expires_ns: int | None = None
    ) -> tuple[str, ApiKey]:
        """Make a key that may do what another one may; the other one expires.

        Args:
            key: id of the key to replace.
            grace_s: for how long the other one is good, seconds; 0: not any more.
            expires_ns: from when on the new one is useless; None: as the other one before.

        Raises:
            NotFoundError: there is none of that id.
            ConflictError: it was revoked or has expired: make a new one.
        """
        now_ns = self._clock.now_ns()
        with self._database.write() as connection:
            before = self._found(connection, key)
            if before.revoked_ns is not None or before.expired(now_ns):
                raise ConflictError(
                    f"the API key {before.id} was revoked or has expired; make a new one"
                )
            made = self._insert(
                connection,
                name=before.name,
                grants=held(connection, "key", [before.id]).get(before.id, ()),
                user=before.user,
                scopes=before.scopes,
                expires_ns=before.expires_ns if expires_ns is None else expires_ns,
                rotated_from=before.id,
            )
            ends_ns = now_ns + round(grace_s * NS_PER_S)
            if before.expires_ns is None or ends_ns < before.expires_ns:
                connection.execute(
                    update(api_keys).where(api_keys.c.id == before.id).values(expires_ns=ends_ns)
                )
            return made

    def _insert(
        self,
        connection: Connection,
        *,
        name: str,
        grants: tuple[Grant, ...],
        user: str | None,
        scopes: frozenset[Permission] | None,
        expires_ns: int | None,
        rotated_from: str | None = None,
    ) -> tuple[str, ApiKey]:
        key, secret = secrets.token_hex(6), secrets.token_hex(32)
        row = {
            "id": key,
            "name": name,
            "created_ns": self._clock.now_ns(),
            "sha256": _hash(secret),
            "user": user,
            "scopes": None if scopes is None else " ".join(sorted(scopes)),
            "expires_ns": expires_ns,
            "rotated_from": rotated_from,
        }
        insert_rows(connection, api_keys, [row])
        hold(connection, "key", key, grants)
        return f"{_PREFIX}_{key}_{secret}", self._found(connection, key)

    def verify(self, plain: str) -> ApiKey | None:
        """Return the key's record, or None.

        None: it is unknown, wrong, revoked or expired, or its user was shut out.
        """
        parts = plain.split("_")
        if len(parts) != _PARTS or parts[0] != _PREFIX or not plain.isascii():
            return None
        with self._database.read() as connection:
            row = (
                connection.execute(select(api_keys).where(api_keys.c.id == storable(parts[1])))
                .mappings()
                .first()
            )
            if row is None or not hmac.compare_digest(row["sha256"], _hash(parts[2])):
                return None
            [key] = _records(connection, [row])
            if key.user is not None and known_user(connection, key.user).disabled_ns is not None:
                return None
        now_ns = self._clock.now_ns()
        if key.revoked_ns is not None or key.expired(now_ns):
            return None
        if key.last_used_ns is None or now_ns - key.last_used_ns > _USED_EVERY_NS:
            # A key is not wrong because nobody could note that it was used.
            with contextlib.suppress(RegistryUnavailableError):
                self._mark_used(key.id, now_ns)
        return key

    def get(self, key: str) -> ApiKey:
        """Return a key's record.

        Raises:
            NotFoundError: there is none of that id.
        """
        with self._database.read() as connection:
            return self._found(connection, key)

    def list(self) -> builtins.list[ApiKey]:
        """Return every key's record, oldest first."""
        with self._database.read() as connection:
            query = select(api_keys).order_by(api_keys.c.created_ns, api_keys.c.id)
            return _records(connection, connection.execute(query).mappings().all())

    def revoke(self, key: str) -> None:
        """Make a key useless; a key revoked before stays so.

        Raises:
            NotFoundError: there is none of that id.
        """
        with self._database.write() as connection:
            known = self._found(connection, key).id
            connection.execute(
                update(api_keys)
                .where(api_keys.c.id == known, api_keys.c.revoked_ns.is_(None))
                .values(revoked_ns=self._clock.now_ns())
            )

    def _found(self, connection: Connection, key: str) -> ApiKey:
        query = select(api_keys).where(api_keys.c.id == storable(key))
        row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFoundError(f"there is no API key {key[:80]!r}; see `passerelle keys list`")
        return _records(connection, [row])[0]

    def _mark_used(self, key: str, now_ns: int) -> None:
        with self._database.write() as connection:
            connection.execute(
                update(api_keys).where(api_keys.c.id == key).values(last_used_ns=now_ns)
            )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _records(connection: Connection, rows: Sequence[Any]) -> list[ApiKey]:
    own = held(connection, "key", [row["id"] for row in rows])
    users = held(connection, "user", {row["user"] for row in rows if row["user"] is not None})
    found = []
    for row in rows:
        within = None if row["user"] is None else users.get(row["user"], ())
        scopes = row["scopes"]
        found.append(
            ApiKey(
                id=row["id"],
                name=row["name"],
                created_ns=row["created_ns"],
                revoked_ns=row["revoked_ns"],
                last_used_ns=row["last_used_ns"],
                grants=own.get(row["id"], within or ()),
                user=row["user"],
                within=within,
                scopes=None if scopes is None else frozenset(map(Permission, scopes.split())),
                expires_ns=row["expires_ns"],
                rotated_from=row["rotated_from"],
            )
        )
    return found
