"""One forward pass and one decode loop: prompts, rows, attention, recording.

Here lives whatever every method shares. No method, no page, no task and no file format of a report
lives here; methods are known by `sinktrack.core.intervention` alone.
"""
