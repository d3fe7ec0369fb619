"""What binds a name to a person, whether the study is open, and the order of each one's votes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_OLD_ORDER = """
UPDATE votes SET sequence = (
    SELECT count(*) FROM votes AS other
    WHERE other.annotator = votes.annotator
    AND (other."cast" < votes."cast"
         OR (other."cast" = votes."cast" AND other.key <= votes.key))
)
"""


def upgrade() -> None:
    """Add them; votes from before are in the order of their clock."""
    op.add_column("studies", sa.Column("state", sa.String(20)))
    op.add_column("annotators", sa.Column("secret", sa.String(64)))
    op.add_column("votes", sa.Column("sequence", sa.Integer))
    op.execute(_OLD_ORDER)


def downgrade() -> None:
    """Drop them."""
    op.drop_column("votes", "sequence")
    op.drop_column("annotators", "secret")
    op.drop_column("studies", "state")
