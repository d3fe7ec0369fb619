"""Makes the bundled checkpoints, their examples and their study.

Stands beside the package: nothing in `sinktrack` or `app` needs it.
"""
