"""The page: `python app.py`, then open http://127.0.0.1:7860. A Space runs this file as it is."""

import os
import sys
import time

from app.shared.ending import Ending, leave
from app.shared.logs import set_up_logs
from app.shared.machine import share_freed_memory, without_proxies
from app.shared.own_folder import own_folders
from app.shared.settings import Settings
from sinktrack.core.errors import SinkTrackError
from sinktrack.machine import importing, tolerate_any_text
from sinktrack.terminal import waiting


def main(ending: Ending) -> int:
    """Serve the page, and load a model while it is there already; return the exit status."""
    settings = Settings.read(sys.argv[1:], os.environ)
    tolerate_any_text()
    share_freed_memory()
    ending.last(set_up_logs(as_json=settings.log_json, private=settings.private))
    with own_folders(os.environ):
        return serve(settings, ending)


def serve(settings: Settings, ending: Ending) -> int:
    """Serve the page that was chosen; return the exit status."""
    # Imported here, so that a wrong argument is answered at once and not after loading torch.
    with importing(), without_proxies():  # Gradio opens a client when it is imported
        from app.shared.ui import close

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
        engine = None
        if settings.results is not None:
            page = results_page.serve(settings, ending)
        elif settings.study is not None:
            page = study_page.serve(settings, ending)
        else:
            engine = Engine.choose(settings, ending)
            page = compare_page.serve(engine, settings)
        with ending.of(lambda: close(page)):
            if engine is not None:
                with waiting(f"Loading {engine.name}") as say:
                    engine.load(say)
            while page.is_running and not ending.asked:
                time.sleep(0.1)
    except (SinkTrackError, OSError) as error:  # OSError: the port is taken
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    end = Ending()
    end.when_terminated()
    try:
        status = main(end)
    except KeyboardInterrupt:  # the page has ended well by then
        status = 0
    leave(status, end)
