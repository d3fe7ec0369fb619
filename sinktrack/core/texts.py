"""How the texts of one turn are put together. Imports nothing, so that tasks are listed at once."""

BETWEEN_TEXTS = "\n\n"
"""What stands between two texts of one turn."""
