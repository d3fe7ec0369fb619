"""What a vote was about, repeated items, items passed over, rulings, and people who withdrew."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add them; an annotator may have a second place on an item, if it is one that repeats it."""
    op.add_column("annotators", sa.Column("withdrawn", sa.Double))
    op.add_column("votes", sa.Column("pair", sa.String(16)))
    op.add_column("votes", sa.Column("said", sa.JSON))
    with op.batch_alter_table("places") as places:
        again = sa.Column("again", sa.Boolean, nullable=False, server_default=sa.false())
        places.add_column(again)
        places.drop_constraint("uq_places_study_item_annotator", type_="unique")
        once = ["study", "item", "annotator", "again"]
        places.create_unique_constraint("uq_places_study_item_annotator_again", once)
    op.create_table(
        "passes",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("study", sa.String(200), nullable=False),
        sa.Column("item", sa.String(200), nullable=False),
        sa.Column("annotator", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("passed", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_passes"),
        sa.ForeignKeyConstraint(["study"], ["studies.name"], name="fk_passes_study"),
        sa.ForeignKeyConstraint(["annotator"], ["annotators.id"], name="fk_passes_annotator"),
        sa.UniqueConstraint("study", "item", "annotator", name="uq_passes_study_item_annotator"),
    )
    op.create_table(
        "rulings",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("study", sa.String(200), nullable=False),
        sa.Column("item", sa.String(200), nullable=False),
        sa.Column("first", sa.String(200), nullable=False),
        sa.Column("second", sa.String(200), nullable=False),
        sa.Column("judge", sa.String(200), nullable=False),
        sa.Column("better", sa.String(200), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("pair", sa.String(16)),
        sa.Column("ruled", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rulings"),
        sa.ForeignKeyConstraint(["study"], ["studies.name"], name="fk_rulings_study"),
    )


def downgrade() -> None:
    """Drop them, repeated votes included."""
    op.drop_table("rulings")
    op.drop_table("passes")
    repeated = "SELECT id FROM places WHERE again"
    op.execute(f"DELETE FROM votes WHERE place IN ({repeated})")
    op.execute("DELETE FROM places WHERE again")
    with op.batch_alter_table("places") as places:
        places.drop_constraint("uq_places_study_item_annotator_again", type_="unique")
        places.drop_column("again")
        once = ["study", "item", "annotator"]
        places.create_unique_constraint("uq_places_study_item_annotator", once)
    op.drop_column("votes", "said")
    op.drop_column("votes", "pair")
    op.drop_column("annotators", "withdrawn")
