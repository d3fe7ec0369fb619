"""Measuring models: tasks and scorers, which know nothing of models, and a runner of methods."""
