"""Where things are, for tests of every folder."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"
CHECKPOINT = ROOT / "assets" / "shapes-vl"
