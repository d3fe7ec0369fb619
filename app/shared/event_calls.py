"""What a browser sends of an event is whole or refused, and what fails is told in a sentence.

Gradio would run a handler with whatever was sent, show "Error" alone, and write a traceback with
the words of the error. Knows nothing about pages.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from gradio.caching import CacheMissError
from gradio.processing_utils import check_all_files_in_cache

from app.shared.guards import FAILED, MEANINGLESS
from app.shared.logs import Entry, what_to_do
from app.shared.sessions import forget_events, forget_program
from app.shared.toasts import toast
from app.shared.visitors import asking, visitor_of


def whole_calls(page: gr.Blocks) -> None:
    """Refuse calls of a page's events that no page of ours sends, and log what fails."""
    preprocess, process = page.preprocess_data, page.process_api

    async def read(block_fn: Any, inputs: list[Any], *others: Any, **options: Any) -> Any:
        """Read what was sent; whatever Gradio cannot make sense of is the sender's mistake."""
        with _refusing():
            if block_fn.fn is None or len(inputs) != len(block_fn.inputs):
                raise ValueError("no event that a server answers, or other inputs than it has")
            return await preprocess(block_fn, inputs, *others, **options)

    async def guarded(*given: Any, **options: Any) -> dict[str, Any]:
        entry, event = Entry("event"), options.get("event_data")
        if event is not None:
            if not isinstance(event._data, dict):
                event._data = {}  # handlers ask it for names, and say what is missing
            with _refusing():
                sent: Any = event._data
                check_all_files_in_cache(sent)
        session, output = options.get("session_hash"), dict[str, Any]()
        try:
            with asking(visitor_of(options.get("request"), session)):
                output = await process(*given, **options)
                return output
        except (gr.Error, CacheMissError):  # a refusal, and what Gradio's queue waits for
            raise
        except Exception as error:
            _mark(options.get("request"))
            raise toast(entry.fail(error, what_to_do(error))) from error
        finally:
            forget_program(page, options.get("block_fn"), session, output)
            forget_events(page)

    page.preprocess_data = read  # type: ignore[method-assign]
    page.process_api = guarded  # type: ignore[method-assign]


@contextmanager
def _refusing() -> Iterator[None]:
    """Refuse what a block cannot read, with a sentence of ours and no traceback."""
    entry = Entry("event")
    try:
        yield
    except CacheMissError:
        raise
    except gr.Error as error:
        if not error.print_exception:  # one of ours
            raise
        entry.refuse(error)
        raise toast(str(error.message)) from None
    except Exception as error:
        entry.refuse(error)
        raise toast(MEANINGLESS) from None


def _mark(request: Any) -> None:
    """Let the request that an event came with know that it has failed."""
    scope = getattr(getattr(request, "request", None), "scope", None)
    if scope is not None:
        scope[FAILED] = True
