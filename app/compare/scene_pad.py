"""The pad on which a visitor draws a scene of the bundled model's little world.

The browser sends which cell holds what, never a picture; nothing of it is checked before it comes
here. The picture is drawn on the server and goes where an uploaded one would be.
"""

import io
import json
import random
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from app.compare.known_answers import KnownAnswers
from app.compare.scene_questions import known_questions
from app.shared.engine import Engine
from app.shared.toasts import toast
from app.shared.ui import QUICK, component_json
from sinktrack.eval.truth import Truth
from sinktrack.shapes.questions import cell_name
from sinktrack.shapes.scenes import (
    COLOURS,
    GRID,
    OUTLINES,
    PRIOR,
    SHAPES,
    SIZES,
    Scene,
    draw,
    sample_scene,
)

MOST_THINGS = 6
"""More than the bundled model has ever seen in one picture would be no fair question."""
SCALE = 4
"""Pixels for each pixel that the model sees, so that people see more than a thumbnail."""
_LONGEST = 4000  # characters of what the pad sends
_LONGEST_QUESTION = 300
_UNREADABLE = "The scene could not be read: load the page again."


class ScenePad:
    """Lays out the pad; must be made inside a column of a page.

    Its field `box` holds the accordion, which is there for the bundled model alone.

    Args:
        engine: Tells whether the model is the bundled one.
        known: Is told the right answers.
        picture: The input that takes the picture.
    """

    def __init__(self, engine: Engine, known: KnownAnswers, picture: gr.Image) -> None:
        self._engine, self._known, self._picture = engine, known, picture
        with gr.Accordion(
            "Draw a scene", open=False, visible=engine.bundled, elem_id="draw"
        ) as self.box:
            self._pad = gr.HTML(
                value=_value(Scene(()), usual=True),
                html_template='<div class="st-pad"></div>',
                js_on_load="SinkTrackPad.pad(element.querySelector('.st-pad'), props, watch, {"
                "drawn: () => trigger('drawn'), sample: () => trigger('sample'),"
                "other: () => trigger('other'),"
                "choose: (question) => trigger('choose', { question }) });",
                apply_default_css=False,
                elem_id="pad",
                world=component_json(_world()),
                offers=component_json([]),
            )

    @property
    def draws(self) -> list[Any]:
        """The events after which there is another picture."""
        return [self._pad.drawn, self._pad.sample]

    def arrived(self) -> Any:
        """Return the update of `box` once the model is there."""
        return gr.update(visible=self._engine.bundled)

    def connect(self, question: gr.Textbox) -> None:
        """Let the pad fill the inputs for the picture and the question."""
        # A visitor may click faster than pictures are drawn; what counts is the pad as it is last.
        last: dict[str, Any] = QUICK | {"trigger_mode": "always_last"}
        self._pad.drawn(self.drawn, self._pad, [self._picture, self._pad], **last)
        self._pad.sample(self.sample, self._pad, [self._picture, self._pad], **last)
        self._pad.other(self.other, self._pad, self._pad, **last)
        chosen = self._pad.choose(chosen_question, None, question, **QUICK)
        chosen.success(None, None, None, js="() => SinkTrackPad.chosen()")

    def drawn(self, value: Any) -> tuple[Any, ...]:
        """Return the picture of what is on the pad, and the pad's update with questions about it.

        Args:
            value: Of the pad, as the browser sent it.

        Raises:
            gr.Error: If it is nothing that the pad sends.
        """
        scene, _ = read_scene(value)
        return self._file(scene), gr.update(offers=self._offers(scene))

    def sample(self, value: Any) -> tuple[Any, ...]:
        """Return the picture of a random scene, and the pad's update with it; see `drawn`."""
        _, usual = read_scene(value)
        rng = random.Random()
        scene = sample_scene(rng, rng.randint(3, 5), "test", PRIOR if usual else 0.0)
        value = _value(scene, usual=usual)
        return self._file(scene), gr.update(value=value, offers=self._offers(scene))

    def other(self, value: Any) -> Any:
        """Return the pad's update with other questions; see `drawn`."""
        return gr.update(offers=self._offers(read_scene(value)[0]))

    def _file(self, scene: Scene) -> str | None:
        """Draw a scene where uploads are; None for an empty one, which the model never saw."""
        if not scene.items:
            return None
        path = str(save_bytes_to_cache(png(scene), "scene.png", self._picture.GRADIO_CACHE))
        self._picture.temp_files.add(path)
        return path

    def _offers(self, scene: Scene) -> str:
        """Return questions about a scene as JSON, and remember their answers."""
        if not scene.items:
            return component_json([])
        picture = png(scene)
        self._known.remember_scene(picture, scene)
        asked = known_questions(scene, random.Random())
        for question, _ in asked:
            truth = Truth.of_task(question.answer, question.task)
            self._known.remember(picture, question.text, truth)
        return component_json([{"text": each.text, "note": note} for each, note in asked])


def png(scene: Scene) -> bytes:
    """Return a scene's picture as people see it, a PNG file."""
    buffer = io.BytesIO()
    draw(scene, SCALE).save(buffer, "PNG")
    return buffer.getvalue()


def read_scene(value: Any) -> tuple[Scene, bool]:
    """Return the scene on the pad, and whether usual companions are wanted in random ones.

    Args:
        value: Of the pad, as the browser sent it.

    Raises:
        gr.Error: If it is nothing that the pad sends.
    """
    try:
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise ValueError("no text, or a very long one")
        sent = json.loads(value)
        seed, usual = sent["seed"], sent["usual"]
        if not _whole(seed, 2**32) or not isinstance(usual, bool):
            raise ValueError("no seed, or no switch")
        scene = Scene.of(sent["cells"], seed)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise toast(_UNREADABLE) from error
    items = scene.items
    if len({item[:2] for item in items}) < len(items):
        raise toast(_UNREADABLE)
    if len(items) > MOST_THINGS:
        raise toast(
            f"The scene has {len(items)} things, but the model knows at most {MOST_THINGS}: take "
            "some away."
        )
    return scene, usual


def _whole(number: Any, limit: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < limit


def chosen_question(event: gr.EventData) -> str:
    """Return the question that was chosen.

    Raises:
        gr.Error: If it is none.
    """
    question = getattr(event, "question", None)
    if not isinstance(question, str) or len(question) > _LONGEST_QUESTION:
        raise toast("There is no such question: choose one of those shown.")
    return question


def _value(scene: Scene, *, usual: bool) -> str:
    """Return the pad's value with a scene on it."""
    return component_json({"cells": scene.things(), "seed": scene.drawing_seed, "usual": usual})


def _world() -> dict[str, Any]:
    """Return what the pad can draw with."""
    return {
        "places": [[cell_name(row, column) for column in range(GRID)] for row in range(GRID)],
        "colours": COLOURS,
        "shapes": {shape: OUTLINES[shape] for shape in SHAPES},
        "sizes": SIZES,
        "most": MOST_THINGS,
    }
