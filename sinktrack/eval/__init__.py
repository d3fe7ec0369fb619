"""Measuring methods: tasks, scorers, statistics, and a runner that answers whole sets of questions.

Tasks and scorers know no models, and the runner knows tasks by their interface alone. How answers
come about is not here: `sinktrack.core.generate` makes them.
"""
