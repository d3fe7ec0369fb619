"""What Gradio remembers of sessions is bounded, and nothing of a program that has its answer."""

import gradio as gr
import pytest
from awaiting import awaited

from app.shared.event_calls import whole_calls


def add(number: int) -> int:
    return number + 1


def fail() -> int:
    raise ZeroDivisionError


async def called(page, index, inputs, session):
    state = page.state_holder[session]
    return await page.process_api(
        block_fn=page.fns[index], inputs=inputs, state=state, session_hash=session
    )


async def sessions_after_calls():
    with gr.Blocks() as page:
        kept = gr.State()
        gr.Button().click(lambda: 1, outputs=kept, api_visibility="private")
        gr.api(add, api_name="add")
        gr.api(fail, api_name="fail")
    whole_calls(page)
    queue = page._queue
    queue.pending_event_ids_session |= {"gone": {"an event"}, "there": {"another"}}
    queue.pending_messages_per_session["there"] = None
    await called(page, 0, [], "tab")
    assert (await called(page, 1, [1], "program"))["data"] == [2]
    with pytest.raises(gr.Error):
        await called(page, 2, [], "another")
    holder = page.state_holder
    return [*holder.session_data], [*holder.time_last_used], queue.pending_event_ids_session


def test_a_program_is_forgotten_when_it_has_its_answer_and_a_tab_is_not():
    states, times, events = awaited(sessions_after_calls())
    assert states == times == ["tab"]
    assert events == {"there": {"another"}}  # and none of a session whose messages have gone


async def worked_out():
    with gr.Blocks() as page:
        queue = page.queue()._queue
    queue.events_recorded = 1
    over = {"status": "success", "process_time": 1.0, "function": "add"}
    return queue.compute_analytics_summary([over]), queue.ANALYTICS_MAX_EVENTS


def test_no_figures_are_worked_out_of_events_that_are_over():
    assert awaited(worked_out()) == ({"functions": {}}, 1)
