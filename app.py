"""The page: `python app.py`, then open http://127.0.0.1:7860. A Space runs this file as it is."""

import os
import sys

from app.settings import Settings


def main() -> int:
    """Serve the page, and load a model while it is there already; return the exit status."""
    settings = Settings.read(sys.argv[1:], os.environ)
    # Imported here, so that a wrong argument is answered at once and not after loading torch.
    from app.engine import Engine
    from app.study import open_study
    from app.ui import build, launch
    from sinktrack.errors import SinkTrackError

    try:
        if settings.study is not None:
            launch(open_study(settings), settings)
            return 0
        engine = Engine.choose(settings)
        page = build(engine, settings)
        launch(page, settings, prevent_thread_lock=True)
        engine.load()
        page.block_thread()
    except (SinkTrackError, OSError) as error:  # OSError: the port is taken
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
