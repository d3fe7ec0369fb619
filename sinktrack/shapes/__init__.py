"""The little world of coloured shapes, and the training of the bundled checkpoint on it."""
