"""The model `sinktrack` of lmms-eval, which finds it by the entry point `lmms_eval.models`.

lmms-eval --model sinktrack --model_args pretrained=...,method=sinktrack,inject_at=2+5 --tasks ...
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from lmms_eval.models.registry_v2 import ModelManifest

from sinktrack.core.errors import MethodError, PromptError
from sinktrack.harnesses.answering import Answering, Request, decoding_of, one_process, seeds_of

LONGEST = 4096
"""New tokens where a task does not tell, as for lmms-eval's own models."""


def manifest() -> ModelManifest:
    """Return what the entry point tells lmms-eval."""
    return ModelManifest(
        model_id="sinktrack", chat_class_path=f"{__name__}.{SinkTrackModel.__name__}"
    )


class SinkTrackModel(lmms):  # type: ignore[misc]
    """A model that answers with one method.

    Args:
        system_prompt: A text, or a file that holds it.
        max_new_tokens: The longest answer where a task does not tell.
        seed: Of the sampling noise.
        **arguments: Those of `Answering`.

    Raises:
        SinkTrackError: As `Answering`, or if there are several processes.
    """

    is_simple = False

    def __init__(
        self,
        *,
        system_prompt: str | None = None,
        max_new_tokens: int = LONGEST,
        seed: int | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__()
        one_process()
        self.asked = Answering(**arguments, taken=() if seed is None else ("seed",))
        self._system = self._resolve_system_prompt(system_prompt) if system_prompt else None
        self._longest, self._seed = max_new_tokens, seed or 0

    def generate_until(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """Answer what a task asks.

        Args:
            requests: With messages, generation settings, and where the item is.

        Returns:
            An answer each.

        Raises:
            SinkTrackError: If a setting, a prompt or a method cannot be used.
        """
        told = [each.args for each in requests]
        items = [(task, f"{split}/{doc_id}") for _, _, _, doc_id, task, split in told]
        seeds = seeds_of(items, self._seed)
        asked = []
        for (_, to_messages, settings, doc_id, task, split), seed in zip(told, seeds, strict=True):
            decoding = decoding_of(settings, longest=self._longest, seed=seed)
            document = partial(self.task_dict[task][split].__getitem__, doc_id)
            asked.append(Request(partial(self._prompt, to_messages, document, decoding), decoding))
        answers = self.asked.answers(asked)
        for each, written in zip(told, answers, strict=True):
            self.cache_hook.add_partial("generate_until", (each[0], each[2]), written.text)
        return [
            GenerationResult(text=each.text, token_counts=TokenCounts(output_tokens=each.tokens))
            for each in answers
        ]

    def _prompt(self, to_messages: Any, document: Any, decoding: Any) -> Any:
        messages = messages_of(to_messages(document()))
        if self._system is not None:
            if messages and messages[0]["role"] == "system":
                raise PromptError(
                    "The task has a system prompt of its own: leave system_prompt out."
                )
            messages.insert(0, {"role": "system", "content": self._system})
        return self.asked.prompt(messages, decoding.max_new_tokens)

    def loglikelihood(self, requests: Sequence[Instance]) -> NoReturn:
        """Refuse what lmms-eval asks of no model that takes messages."""
        raise MethodError(
            "lmms-eval asks models that take messages for answers alone, not for likelihoods: "
            "choose a task with generate_until, or lm-eval for a task of texts."
        )

    def generate_until_multi_round(self, requests: Sequence[Instance]) -> NoReturn:
        """Refuse tasks that make their next question of the answer."""
        raise MethodError(
            "Tasks of several rounds (generate_until_multi_round) are not supported: choose a task "
            "whose earlier turns are given."
        )


def messages_of(messages: Sequence[Any]) -> list[dict[str, Any]]:
    """Return lmms-eval's messages in transformers' chat format; blank texts are left out.

    Raises:
        PromptError: If one holds a sound, or a part of a video.
    """
    found = []
    for message in messages:
        content: list[dict[str, Any]] = []
        for part in message["content"]:
            kind = part["type"]
            if kind == "text":
                content += [{"type": "text", "text": part["text"]}] if part["text"].strip() else []
                continue
            times = [part.get("start_time"), part.get("end_time")]
            if kind not in ("image", "video") or times != [None, None]:
                what = "a part of a video" if kind == "video" else f"content of the type {kind!r}"
                raise PromptError(
                    f"The task shows {what}, which is not supported: choose a task of texts, "
                    "pictures and whole videos."
                )
            content.append({"type": kind, kind: part["url"]})
        if content:
            found.append({"role": message["role"], "content": content})
    return found
