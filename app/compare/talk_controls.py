"""The conversation in the left column: its earlier turns, and going on from an answer."""

from typing import Any

import gradio as gr

from app.compare.handlers import refuse_while_answering
from app.compare.talk import Finished, shown
from app.compare.viewer import turn_list
from app.shared.request import Asked, Exchange
from app.shared.stop_flag import StopFlag
from app.shared.toasts import toast


class TalkControls:
    """Lays out the earlier turns; must be made inside a column of a page.

    Its fields hold the components: `history`, the session's conversation; `finished`, its last
    question with all answers; `turns`, whose event "edit" names one of it; `anew`; and after
    `lay_out_follow_up` `choice` and `follow`.
    """

    def __init__(self) -> None:
        self.history = gr.State(())
        self.finished = gr.State()
        with gr.Column(visible=False, elem_id="talk") as self._turns_box:
            self.turns = turn_list()
            self.anew = gr.Button("Start anew", size="sm", elem_id="anew")

    def lay_out_follow_up(self) -> None:
        """Lay out what goes on from an answer; hidden until there is one."""
        with gr.Column(visible=False, elem_id="follow-up") as self._follow_box:
            self.choice = gr.Radio([], type="value", label="Go on from", elem_id="go-on-from")
            self.follow = gr.Button("Ask a follow-up", elem_id="follow")

    @property
    def shown(self) -> list[Any]:
        """What `go_on` and `start_anew` set."""
        return [self.history, self.finished, self._turns_box, self.turns, self._follow_box]

    @property
    def offered(self) -> list[Any]:
        """What `offer` and `announce` set."""
        return [self._follow_box, self.choice, self.follow]

    def offer(self, finished: Finished | None) -> list[Any]:
        """Offer to go on from one of the answers, if there are any."""
        if finished is None:
            return [gr.update(visible=False), gr.skip(), gr.skip()]
        return _offered([title for title, _ in finished.answers], possible=True)

    def announce(self, titles: list[str]) -> list[Any]:
        """Show what will be offered once the answers are there, so that nothing moves then."""
        return _offered(titles, possible=False)

    def go_on(
        self, running: StopFlag | None, finished: Finished | None, choice: Any
    ) -> tuple[Any, ...]:
        """Keep the last question and one of its answers as earlier turns.

        Raises:
            gr.Error: If there is no such answer.
        """
        refuse_while_answering(running)
        if finished is None:
            raise toast("There is no answer to go on from: ask something first.")
        return self._set(finished.gone_on(choice))

    def start_anew(self, running: StopFlag | None) -> tuple[Any, ...]:
        """Forget the earlier turns."""
        refuse_while_answering(running)
        return self._set(())

    def back_to(
        self, running: StopFlag | None, history: tuple[Exchange, ...], index: Any
    ) -> tuple[tuple[Any, ...], Asked]:
        """Return the conversation before one of its questions, for `shown`, and that question.

        Args:
            running: Stops the answer that is being written; None if none ever was.
            history: The conversation.
            index: Which question, as the browser sent it.

        Raises:
            gr.Error: If there is no such question.
        """
        refuse_while_answering(running)
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(history):
            raise toast("There is no such question: choose one of those shown.")
        return self._set(history[:index]), history[index].asked

    def resume(self, history: tuple[Exchange, ...]) -> tuple[Any, ...]:
        """Return the values of `shown` for a conversation that comes from elsewhere."""
        return self._set(history)

    def _set(self, history: tuple[Exchange, ...]) -> tuple[Any, ...]:
        return (
            history,
            None,
            gr.update(visible=bool(history)),
            shown(history),
            gr.update(visible=False),
        )


def _offered(titles: list[str], *, possible: bool) -> list[Any]:
    choices = [(title, number) for number, title in enumerate(titles)]
    return [
        gr.update(visible=True),
        gr.update(choices=choices, value=0, interactive=possible),
        gr.update(interactive=possible),
    ]
