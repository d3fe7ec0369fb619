"""`python -m sinktrack.cli`."""

import sys

from sinktrack.cli.app import main

sys.exit(main())
