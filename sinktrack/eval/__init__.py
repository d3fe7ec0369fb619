"""Measuring methods: tasks, scorers, statistics, a runner, and scores of answers made elsewhere.

Tasks and scorers know no models, and the runner knows tasks by their interface alone. How answers
come about is not here: `sinktrack.core.generate` makes them.
"""
