"""The search for the dimension that `position-scale` needs, where people look for it.

    python -m sinktrack.methods.find_dimension MODEL

It measures on questions, so the program is `sinktrack.eval.find_dimension`; this starts it.
"""

import runpy

if __name__ == "__main__":
    runpy.run_module("sinktrack.eval.find_dimension", run_name="__main__")
