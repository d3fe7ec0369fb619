"""What is compared: the methods that a visitor picks, with their parameters, one an answer.

No method is known here by name. What comes back from the browser is JSON that nobody has checked.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import gradio as gr

from app.compare.inputs import DEFAULT, MethodInputs
from app.compare.viewer import method_picker
from app.shared.engine import Engine
from app.shared.method_cards import in_words
from app.shared.methods import FEWEST_METHODS, MOST_METHODS, PLAIN
from app.shared.toasts import toast
from app.shared.ui import component_json

_LONGEST = 20_000  # characters of what the picker sends


class MethodControls:
    """Lays out the picker; must be made inside a column of a page.

    Its field `picker` holds the component, from whose value `read` takes the methods; its event
    "fill" asks for methods that fit.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.picker = method_picker(chosen(DEFAULT), self._offered())

    def read(self, value: Any) -> tuple[MethodInputs, ...]:
        """Return the chosen methods.

        Args:
            value: Of the picker, as the browser sent it.

        Raises:
            gr.Error: If it is nothing that the picker sends.
        """
        try:
            if not isinstance(value, str) or len(value) > _LONGEST:
                raise ValueError("no text, or a very long one")
            return tuple(
                MethodInputs(kind=str(each["kind"]), parameters=_parameters(each["set"]))
                for each in json.loads(value)["chosen"]
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise toast("What is compared could not be read: load the page again.") from error

    def arrived(self) -> Any:
        """Return the update of the picker once the model is there, with its own defaults."""
        return gr.update(cards=self._offered())

    def filled(self, *, visuals: bool, passage: bool) -> str:
        """Return the picker's value with the plain model and as many methods as fit.

        Args:
            visuals: Whether there is a picture or video to be asked about.
            passage: Whether there is a passage.

        Raises:
            gr.Error: If the model is still loading, or nothing fits.
        """
        if not self._engine.ready:
            raise toast("The model is still loading, and what fits depends on it: wait a moment.")
        if self._engine.reads_pictures and not passage:
            visuals = True  # nothing can be asked before there is a picture
        found = self._engine.fitting(visuals=visuals, passage=passage)
        about = in_words(visuals, passage)
        if not found:
            raise toast(f"No method fits {about}: choose some by hand.")
        room = MOST_METHODS - 1
        said = f"{len(found)} method{'s fit' if len(found) > 1 else ' fits'} {about}"
        if len(found) > room:
            said += f"; {room} that are made for it or take the fewest rows are chosen"
        kinds = [PLAIN, *found[:room]]
        return chosen([MethodInputs(kind=kind) for kind in kinds], f"{said}.")

    def _offered(self) -> str:
        """Return what the picker offers, as JSON."""
        return component_json(
            {
                "cards": [asdict(card) for card in self._engine.method_cards()],
                "fewest": FEWEST_METHODS,
                "most": MOST_METHODS,
                "default": [method.kind for method in DEFAULT],
            }
        )


def chosen(methods: Sequence[MethodInputs], said: str = "") -> str:
    """Return the picker's value with these methods.

    Args:
        methods: The methods; each parameter as name=value.
        said: A sentence that stands with them.
    """
    return component_json(
        {
            "chosen": [{"kind": each.kind, "set": _set(each.parameters)} for each in methods],
            "said": said,
        }
    )


def _set(parameters: str) -> dict[str, str]:
    """Return what is set, by name: what `_parameters` made one text of."""
    typed = (each.partition("=") for each in parameters.split(",") if each.strip())
    return {name.strip(): value.strip() for name, _, value in typed}


def _parameters(values: dict[str, Any]) -> str:
    """Return what was set as the command line takes it."""
    typed = ((name, str(value).strip()) for name, value in values.items())
    return ", ".join(f"{name}={value}" for name, value in typed if value)
