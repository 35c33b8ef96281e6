"""What a key may be used for. Additive: no row is read or written; NULL means calls only, as every key had it before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("scopes", sa.String(200), nullable=True))


def downgrade() -> None:
    op.drop_column("api_keys", "scopes")
