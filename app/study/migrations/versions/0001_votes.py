"""Studies, annotators, places for votes, and votes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the four tables."""
    op.create_table(
        "studies",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_studies"),
    )
    op.create_table(
        "annotators",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("study", sa.String(200), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("joined", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_annotators"),
        sa.ForeignKeyConstraint(["study"], ["studies.name"], name="fk_annotators_study"),
        sa.UniqueConstraint("study", "name", name="uq_annotators_study_name"),
    )
    op.create_table(
        "places",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("study", sa.String(200), nullable=False),
        sa.Column("item", sa.String(200), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("annotator", sa.Integer, nullable=False),
        sa.Column("left", sa.String(200), nullable=False),
        sa.Column("given", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_places"),
        sa.ForeignKeyConstraint(["study"], ["studies.name"], name="fk_places_study"),
        sa.ForeignKeyConstraint(["annotator"], ["annotators.id"], name="fk_places_annotator"),
        sa.UniqueConstraint("study", "item", "number", name="uq_places_study_item_number"),
        sa.UniqueConstraint("study", "item", "annotator", name="uq_places_study_item_annotator"),
    )
    op.create_table(
        "votes",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("annotator", sa.Integer, nullable=False),
        sa.Column("better", sa.String(200), nullable=False),
        sa.Column("judged", sa.JSON, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("seconds", sa.Double),
        sa.Column("cast", sa.Double, nullable=False),
        sa.Column("revealed", sa.Double),
        sa.Column("undone", sa.Double),
        sa.PrimaryKeyConstraint("key", name="pk_votes"),
        sa.ForeignKeyConstraint(["place"], ["places.id"], name="fk_votes_place"),
        sa.ForeignKeyConstraint(["annotator"], ["annotators.id"], name="fk_votes_annotator"),
    )
    standing = sa.text("undone IS NULL")
    op.create_index(
        "uq_votes_standing",
        "votes",
        ["place"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("votes", "places", "annotators", "studies"):
        op.drop_table(table)
