"""The model `SinkTrackModel` of VLMEvalKit, which a configuration names as the class of a model.

python -m sinktrack.harnesses vlmevalkit run.py --config config.json
"""

import runpy
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from vlmeval import config, vlm
from vlmeval.vlm.base import BaseModel

from sinktrack.core.errors import MethodError, PromptError
from sinktrack.harnesses.answering import SETTINGS, Answering, Request, decoding_of

LONGEST = 2048
"""New tokens where nothing is told, as for VLMEvalKit's models of the Qwen2.5-VL family."""


class SinkTrackModel(BaseModel):  # type: ignore[misc]
    """A model that answers with one method.

    Args:
        system_prompt: A text.
        **others: Generation settings by the names of `SETTINGS`, and the arguments of `Answering`.

    Raises:
        SinkTrackError: As `Answering` and `decoding_of`.
    """

    INTERLEAVE = True

    def __init__(self, *, system_prompt: str | None = None, **others: Any) -> None:
        super().__init__()
        if "batch_size" in others:
            raise MethodError("VLMEvalKit asks one item at a time: leave batch_size out.")
        settings = {name: others.pop(name) for name in SETTINGS if name in others}
        self._decoding = decoding_of(settings, longest=LONGEST)
        self._system = system_prompt
        self.asked = Answering(**others, taken=tuple(settings))

    def generate_inner(self, message: Sequence[dict[str, str]], dataset: str | None = None) -> str:
        """Answer one message of texts and pictures.

        Args:
            message: Parts with type, value and perhaps a role.
            dataset: Not needed.

        Raises:
            SinkTrackError: If the message or the method cannot be used.
        """
        return self._answer(conversation_of(message))

    def chat(self, messages: Sequence[dict[str, Any]], dataset: str | None = None) -> str:
        """Answer a conversation.

        VLMEvalKit's own `chat` leaves earlier turns out when something fails; here it is an error.

        Args:
            messages: Turns with role and content.
            dataset: Not needed.

        Raises:
            SinkTrackError: If a turn or the method cannot be used.
        """
        turns = []
        for each in messages:
            parts = self.preproc_content(each["content"])
            turns.append({"role": each["role"], "content": _content(parts)})
        return self._answer(turns)

    def _answer(self, messages: list[dict[str, Any]]) -> str:
        if self._system is not None:
            if messages[0]["role"] == "system":
                raise PromptError(
                    "The data set has a system prompt of its own: leave system_prompt out."
                )
            messages = [{"role": "system", "content": self._system}, *messages]
        prompt = partial(self.asked.prompt, messages, self._decoding.max_new_tokens)
        (written,) = self.asked.answers([Request(prompt, self._decoding)], quiet=True)
        return written.text


def conversation_of(message: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """Return a message of VLMEvalKit in transformers' chat format, its system parts in front.

    Raises:
        PromptError: If it has no other parts, or one is no text and no picture, or the answer's.
    """
    roles = {each.get("role", "user") for each in message}
    if not roles <= {"system", "user"}:
        raise PromptError(
            f"A message has parts of the roles {', '.join(sorted(roles))}, but only system and "
            "user are understood: choose a data set that does not begin the answer."
        )
    turns = []
    for role in ("system", "user"):
        content = _content([each for each in message if each.get("role", "user") == role])
        turns += [{"role": role, "content": content}] if content else []
    return turns


def _content(parts: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """Return parts in transformers' chat format; blank texts are left out."""
    content = []
    for part in parts:
        kind, value = part["type"], part["value"]
        if kind not in ("text", "image"):
            raise PromptError(
                f"A message has a part of the type {kind!r}, but only texts and pictures are "
                "understood: choose a data set of these."
            )
        if kind == "image" or value.strip():
            content.append({"type": kind, kind: value})
    return content


def register(name: str = "", **arguments: Any) -> None:
    """Let VLMEvalKit know the class, and a model by a name.

    Args:
        name: What --model calls it; "" for the class alone, which a configuration names.
        **arguments: Those of `SinkTrackModel`.
    """
    vlm.SinkTrackModel = SinkTrackModel
    if name:
        config.supported_VLM[name] = partial(SinkTrackModel, **arguments)


def run(script: str, words: Sequence[str]) -> None:
    """Run VLMEvalKit's own program, to which the class is known now.

    Args:
        script: Its run.py.
        words: Its command line, without the program.
    """
    register()
    sys.argv = [script, *words]
    runpy.run_path(script, run_name="__main__")
