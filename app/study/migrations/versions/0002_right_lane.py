"""The lane on the right, which a study of more than two lanes has to say."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add it; of two lanes the store fills it in, because it knows the other one."""
    op.add_column("places", sa.Column("right", sa.String(200)))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("places", "right")
