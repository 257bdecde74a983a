"""API keys: `psl_ID_SECRET`. The secret is 256 random bits; only its SHA-256 is kept.

A slow hash is for secrets that people choose; this one cannot be guessed, and is checked on every
request.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from typing import Any

from sqlalchemy import select, update

from core.clock import NS_PER_S, Clock
from core.errors import ConfigurationError, NotFoundError
from devices.registry.database import Database
from devices.registry.errors import RegistryUnavailableError
from devices.registry.records import ApiKey
from devices.registry.rows import insert_rows
from devices.registry.tables import api_keys
from devices.registry.text import check_text, storable

_PREFIX = "psl"
_USED_EVERY_NS = 60 * NS_PER_S
_PARTS = 3


class KeyRepository:
    """The API keys of the registry."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, name: str) -> tuple[str, ApiKey]:
        """Make a key; return it in plain text, which is never shown again, and its record.

        Raises:
            ConfigurationError: the name is empty or too long.
        """
        if not name.strip():
            raise ConfigurationError("an API key needs a name that tells people who uses it")
        key = ApiKey(
            id=secrets.token_hex(6),
            name=check_text(name.strip(), what="the name of an API key"),
            created_ns=self._clock.now_ns(),
        )
        secret = secrets.token_hex(32)
        with self._database.write() as connection:
            row = {"id": key.id, "name": key.name, "created_ns": key.created_ns}
            insert_rows(connection, api_keys, [row | {"sha256": _hash(secret)}])
        return f"{_PREFIX}_{key.id}_{secret}", key

    def verify(self, plain: str) -> ApiKey | None:
        """Return the key's record, or None when it is unknown, wrong or revoked."""
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
        key = _key(row)
        if key.revoked_ns is not None:
            return None
        now_ns = self._clock.now_ns()
        if key.last_used_ns is None or now_ns - key.last_used_ns > _USED_EVERY_NS:
            # A key is not wrong because nobody could note that it was used.
            with contextlib.suppress(RegistryUnavailableError):
                self._mark_used(key.id, now_ns)
        return key

    def list(self) -> list[ApiKey]:
        """Return every key's record, oldest first."""
        with self._database.read() as connection:
            query = select(api_keys).order_by(api_keys.c.created_ns, api_keys.c.id)
            return [_key(row) for row in connection.execute(query).mappings()]

    def revoke(self, key: str) -> None:
        """Make a key useless; a key revoked before stays so.

        Raises:
            NotFoundError: there is none of that id.
        """
        with self._database.write() as connection:
            known = storable(key)
            found = connection.execute(select(api_keys.c.id).where(api_keys.c.id == known)).first()
            if found is None:
                raise NotFoundError(f"there is no API key {key[:80]!r}; see `passerelle keys list`")
            connection.execute(
                update(api_keys)
                .where(api_keys.c.id == known, api_keys.c.revoked_ns.is_(None))
                .values(revoked_ns=self._clock.now_ns())
            )

    def _mark_used(self, key: str, now_ns: int) -> None:
        with self._database.write() as connection:
            connection.execute(
                update(api_keys).where(api_keys.c.id == key).values(last_used_ns=now_ns)
            )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: Any) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        created_ns=row["created_ns"],
        revoked_ns=row["revoked_ns"],
        last_used_ns=row["last_used_ns"],
    )
