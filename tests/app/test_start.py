"""What the page does before it is served."""

import subprocess
import sys

from paths import ROOT


def test_the_page_is_served_before_models_are_imported():
    """transformers takes as long to import as torch."""
    program = (
        "import sys; from app.shared.settings import Settings;"
        "from app.shared.engine import Engine; from app.compare import page;"
        "settings = Settings.read(['--model', sys.argv[1]], {});"
        "page.build(Engine.choose(settings), settings);"
        "sys.exit('transformers was imported' if 'transformers' in sys.modules else 0)"
    )
    command = [sys.executable, "-c", program, str(ROOT / "assets" / "shapes-vl-anchored")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_page_of_runs_starts_without_torch(tmp_path):
    """It loads no model, and torch alone would take longer than all the rest."""
    (tmp_path / "run.json").write_text("{}")
    program = (
        "import sys; from app.results import page; from app.results.browsing import Browsing;"
        "page.build(Browsing(sys.argv[1]));"
        "sys.exit('torch was imported' if 'torch' in sys.modules else 0)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
