"""The command line: `sinktrack ask`, `eval`, `score`, `study`, `methods`, `bench`, one file each.

Here lives what turns words into calls of the library, and what it prints. Bad input ends with one
sentence on the error stream and exit status 2. Each command imports what it needs once its words
are known to be right, because torch takes seconds.
"""

from sinktrack.cli.app import main

__all__ = ["main"]
