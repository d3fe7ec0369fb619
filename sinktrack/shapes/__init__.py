"""The little world of coloured shapes: scenes, and questions about them with known answers.

The bundled checkpoints learned it (`training/`), and `sinktrack.eval.tasks.shapes` measures it.
"""
