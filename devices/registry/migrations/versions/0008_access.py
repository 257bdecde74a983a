"""Users, grants, what keys are limited to, and the audit.

Every key that there is could do everything: it becomes an administrator everywhere, health
included, so that nothing stops working. On the way back a key that could do less is revoked: the
form before knows no less.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TOLD = "the audit is append only"


def _key(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "users",
        sa.Column("id", _key(64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=True),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("disabled_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("subject", name=op.f("uq_users_subject")),
    )
    op.create_table(
        "grants",
        sa.Column("kind", _key(8), nullable=False),
        sa.Column("holder", _key(64), nullable=False),
        sa.Column("role", _key(16), nullable=False),
        sa.Column("site", _key(64), nullable=False),
        sa.Column("domain", _key(16), nullable=False),
        sa.PrimaryKeyConstraint("kind", "holder", "role", "site", "domain", name=op.f("pk_grants")),
    )
    for column in (
        sa.Column("user", sa.String(length=64), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=True),
        sa.Column("expires_ns", sa.BigInteger(), nullable=True),
        sa.Column("rotated_from", sa.String(length=64), nullable=True),
    ):
        op.add_column("api_keys", column)
    for domain in ("", "health"):
        op.execute(
            sa.text(
                "INSERT INTO grants (kind, holder, role, site, domain) "
                "SELECT 'key', id, 'administrator', '', :domain FROM api_keys"
            ).bindparams(domain=domain)
        )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time_ns", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=500), nullable=False),
        sa.Column("actor_name", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("permission", sa.String(length=64), nullable=False),
        sa.Column("sites", sa.Text(), nullable=False),
        sa.Column("devices", sa.Integer(), nullable=False),
        sa.Column("quantities", sa.Text(), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=True),
        sa.Column("end_ns", sa.BigInteger(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_time_ns"), "audit", ["time_ns"], unique=False)
    _forbid_changes()


def _forbid_changes() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{event.lower()} BEFORE {event} ON audit "
                f"BEGIN SELECT RAISE(ABORT, '{_TOLD}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_TOLD}' USING ERRCODE = 'integrity_constraint_violation'; "
        "END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
    )


def downgrade() -> None:
    """Take it back: the audit is gone, and keys that could not do everything are revoked."""
    op.execute(
        sa.text(
            "UPDATE api_keys SET revoked_ns = :now WHERE revoked_ns IS NULL AND ("
            '"user" IS NOT NULL OR scopes IS NOT NULL OR expires_ns IS NOT NULL OR ('
            "SELECT count(*) FROM grants WHERE grants.kind = 'key' AND grants.holder = api_keys.id "
            "AND role = 'administrator' AND site = '' AND domain IN ('', 'health')) < 2)"
        ).bindparams(now=time.time_ns())
    )
    op.drop_index(op.f("ix_audit_time_ns"), table_name="audit")
    op.drop_table("audit")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION audit_append_only()")
    for name in ("rotated_from", "expires_ns", "scopes", "user"):
        op.drop_column("api_keys", name)
    op.drop_table("grants")
    op.drop_table("users")
