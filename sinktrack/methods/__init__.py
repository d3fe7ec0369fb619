"""What can be done to a model while it answers: one file a method, or a family of methods."""
