"""How the bundled checkpoints, their examples and their study came about.

Stands beside the package: nothing in `sinktrack` or `app` needs it.
"""
