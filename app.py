"""The page: `python app.py`, then open http://127.0.0.1:7860. A Space runs this file as it is."""

import os
import sys

from app.shared.machine import without_proxies
from app.shared.settings import Settings
from sinktrack.core.errors import SinkTrackError
from sinktrack.machine import tolerate_any_text
from sinktrack.terminal import waiting


def main() -> int:
    """Serve the page, and load a model while it is there already; return the exit status."""
    settings = Settings.read(sys.argv[1:], os.environ)
    tolerate_any_text()
    # Imported here, so that a wrong argument is answered at once and not after loading torch.
    with without_proxies():  # Gradio opens a client when it is imported
        if settings.results is not None:  # each page imports what it needs, and no more
            from app.results import page as results_page
        else:
            from app.shared.engine import Engine  # the first: it imports spaces before torch

            # isort: split
            if settings.study is None:
                from app.compare import page as compare_page
            else:
                from app.study import page as study_page

    try:
        if settings.results is not None:
            page = results_page.serve(settings)
        elif settings.study is not None:
            page = study_page.serve(settings)
        else:
            engine = Engine.choose(settings)
            page = compare_page.serve(engine, settings)
            with waiting(f"Loading {engine.name}") as say:
                engine.load(say)
        page.block_thread()
    except (SinkTrackError, OSError) as error:  # OSError: the port is taken
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
