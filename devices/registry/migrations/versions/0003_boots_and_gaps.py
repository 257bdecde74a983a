"""The ledger counts each boot of a device apart, and what never came.

Rows from before tell no boot, no gaps and no values. SQLite cannot change a primary key in place,
so the table is made anew and filled from the old one, on both databases alike.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OLD = "received, stored, duplicate, dead_lettered, pending, redelivered"
_NEW = ("missing", "values_new", "values_other")


def upgrade() -> None:
    """Make the change."""
    op.rename_table("ledger", "ledger_before")
    _make(
        sa.Column("boot", sa.BigInteger, nullable=False),
        more=[sa.Column(name, sa.BigInteger, nullable=False) for name in _NEW],
        key=("site", "device", "hour", "worker", "boot"),
        name="pk_ledger_boot",
    )
    op.execute(
        f"INSERT INTO ledger (site, device, hour, worker, boot, {_OLD}, {', '.join(_NEW)}) "  # noqa: S608 - own names
        f"SELECT site, device, hour, worker, -1, {_OLD}, 0, 0, 0 FROM ledger_before"
    )
    op.drop_table("ledger_before")


def downgrade() -> None:
    """Take it back: the boots of an hour become one row."""
    op.rename_table("ledger", "ledger_after")
    _make(key=("site", "device", "hour", "worker"), name="pk_ledger_hour")
    sums = ", ".join(f"sum({name.strip()})" for name in _OLD.split(","))
    op.execute(
        f"INSERT INTO ledger (site, device, hour, worker, {_OLD}) "  # noqa: S608 - own names
        f"SELECT site, device, hour, worker, {sums} FROM ledger_after "
        "GROUP BY site, device, hour, worker"
    )
    op.drop_table("ledger_after")


def _make(
    *columns: sa.Column[int],
    key: tuple[str, ...],
    name: str,
    more: list[sa.Column[int]] | None = None,
) -> None:
    text = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")
    op.create_table(
        "ledger",
        sa.Column("site", text, nullable=False),
        sa.Column("device", text, nullable=False),
        sa.Column("hour", sa.BigInteger, nullable=False),
        sa.Column("worker", sa.String(64), nullable=False),
        *columns,
        *[sa.Column(column.strip(), sa.BigInteger, nullable=False) for column in _OLD.split(",")],
        *(more or []),
        sa.PrimaryKeyConstraint(*key, name=op.f(name)),
        sa.CheckConstraint(
            "received = stored + duplicate + dead_lettered + pending",
            name=op.f(f"ck_ledger_balanced_{len(key)}"),
        ),
    )
