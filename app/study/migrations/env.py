"""Runs the migrations in the transaction that app/study/database.py opens."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()
