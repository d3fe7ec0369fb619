"""`python -m sinktrack`."""

import sys

from sinktrack.cli.app import main

sys.exit(main())
