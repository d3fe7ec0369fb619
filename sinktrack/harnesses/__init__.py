"""Plug-ins that let other evaluation harnesses ask a model with one method: one file a harness.

What they share is in `answering`, which knows no harness. A harness is imported by its own file
alone, and none of them is installed with this package. Nothing else in the library knows them.
"""
