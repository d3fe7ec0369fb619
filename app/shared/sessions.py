"""What Gradio remembers of each tab and of each call of a program, within bounds.

It copies a page's whole configuration for every session, some half a megabyte, and every call of a
program is one. Of itself it keeps 10,000 of them, for as long as the server runs. Knows nothing
about pages.
"""

from collections.abc import Mapping
from typing import Any

import gradio as gr

MOST_SESSIONS = 300
"""Of those who come after, the one that did nothing for longest loses its conversation."""


def bound_sessions(page: gr.Blocks) -> None:
    """Let a page that is served keep no more messages for those who do not listen any more."""
    page._queue.pending_messages_per_session.max_size = MOST_SESSIONS


def is_for_programs(event: Any) -> bool:
    """Whether an event of Gradio's is an endpoint for programs; a page's own are private."""
    return getattr(event, "api_visibility", "private") == "public"


def forget_program(
    page: gr.Blocks, event: Any, session: str | None, output: Mapping[str, Any]
) -> None:
    """Forget the session of a program whose call has ended.

    Args:
        page: The page.
        event: Gradio's.
        session: What Gradio calls the session.
        output: What the event returned; empty where it was refused.
    """
    ended = not output.get("is_generating")
    if session and ended and is_for_programs(event):
        page.state_holder.session_data.pop(session, None)
        page.state_holder.time_last_used.pop(session, None)


def forget_events(page: gr.Blocks) -> None:
    """Forget which events sessions had whose messages Gradio has forgotten; it never does."""
    events = page._queue.pending_event_ids_session
    for session in events.keys() - page._queue.pending_messages_per_session.keys():
        del events[session]
