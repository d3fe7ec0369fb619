"""The model `sinktrack` of EleutherAI's lm-eval, which it knows once this file is imported.

python -m sinktrack.harnesses lm_eval --model sinktrack --model_args pretrained=...,method=... ...
"""

import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model

from sinktrack.core.errors import MethodError, PromptError
from sinktrack.core.prompt import Prompt
from sinktrack.harnesses.answering import Answering, Request, decoding_of, one_process, seeds_of

LONGEST = 256
"""New tokens where a task does not tell, as for lm-eval's own models."""


class Chat(str):
    """A conversation as lm-eval keeps a prompt: the messages as JSON.

    The class tells it from a text without a chat format, which may be JSON as well.
    """

    __slots__ = ()


@register_model("sinktrack")
class SinkTrackLM(TemplateLM):  # type: ignore[misc]
    """A model that answers with one method.

    With --apply_chat_template a prompt is a conversation in the model's own chat format, whose
    parts are known. Without it the text is read as it stands, and all of it is the instruction.

    Args:
        max_gen_toks: The longest answer where a task does not tell.
        seed: Of the sampling noise.
        **arguments: Those of `Answering`.

    Raises:
        SinkTrackError: As `Answering`, or if there are several processes.
    """

    def __init__(
        self,
        *,
        max_gen_toks: int = LONGEST,
        seed: int | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__()
        one_process()
        self.asked = Answering(**arguments, taken=() if seed is None else ("seed",))
        self.tokenizer = self.asked.tokenizer
        self._longest, self._seed = max_gen_toks, seed or 0

    @property
    def eot_token_id(self) -> int:
        """The token that ends a text."""
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        """The token that stands for an empty prompt."""
        first = self.tokenizer.bos_token_id
        return self.eot_token_id if first is None else int(first)

    @property
    def tokenizer_name(self) -> str:
        """The checkpoint, whose chat format prompts have."""
        return str(self.tokenizer.name_or_path).replace("/", "__")

    def chat_template(self, chat_template: bool | str = False) -> str:
        """Return the model's chat template.

        Raises:
            MethodError: If another one is asked for by its name.
        """
        if isinstance(chat_template, str):
            raise MethodError(
                f"The chat template {chat_template!r} cannot be chosen: the checkpoint's own is "
                "used, so write --apply_chat_template alone."
            )
        own = getattr(self.asked.processor, "chat_template", None) or self.tokenizer.chat_template
        return str(own or "")

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> Chat:
        """Return a conversation as one prompt.

        Raises:
            PromptError: If the answer's beginning is given.
        """
        if not add_generation_prompt:
            raise PromptError(
                "The task gives the beginning of the answer (gen_prefix), which is not supported "
                "with a chat format: leave --apply_chat_template out, or choose another task."
            )
        return Chat(json.dumps(chat_history, ensure_ascii=False))

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **kwargs: Any
    ) -> list[int]:
        """Return a text's tokens, with the first token that the tokenizer adds, once."""
        first = self.tokenizer.bos_token
        if add_special_tokens is None:
            add_special_tokens = not (first and string.startswith(first))
        ids: list[int] = self.tokenizer.encode(string, add_special_tokens=add_special_tokens)
        return ids

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """Answer what a task asks.

        Args:
            requests: With a text or conversation, and generation settings.
            disable_tqdm: Not needed.

        Returns:
            An answer each.

        Raises:
            SinkTrackError: If a setting, a prompt or a method cannot be used.
        """
        items = [(str(each.task_name), f"{each.doc_id}/{each.idx}") for each in requests]
        asked = []
        for each, seed in zip(requests, seeds_of(items, self._seed), strict=True):
            context, settings = each.args
            decoding = decoding_of(settings, longest=self._longest, seed=seed)
            asked.append(Request(partial(self._prompt, context, decoding.max_new_tokens), decoding))
        texts = [written.text for written in self.asked.answers(asked)]
        for each, text in zip(requests, texts, strict=True):
            self.cache_hook.add_partial("generate_until", each.args, text)
        return texts

    def _prompt(self, context: str, answer_tokens: int) -> Prompt:
        if isinstance(context, Chat):
            return self.asked.prompt(json.loads(context), answer_tokens)
        return self.asked.raw_prompt(self.tok_encode(context), answer_tokens)

    def loglikelihood(
        self, requests: Sequence[Instance], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Return how likely the method finds continuations, see `Answering.likelihoods`.

        Args:
            requests: With a text or conversation, and what follows.
            disable_tqdm: Not needed.

        Raises:
            SinkTrackError: If a prompt or a method cannot be used.
        """
        together: dict[tuple[bool, str], list[int]] = {}
        for at, each in enumerate(requests):
            context = each.args[0]
            together.setdefault((isinstance(context, Chat), context), []).append(at)
        found: dict[int, tuple[float, bool]] = {}
        for (_, context), places in together.items():
            pairs = [self._pair(context, requests[at].args[1]) for at in places]
            prompt = self._likelihood_prompt(context, pairs)
            scores = self.asked.likelihoods(prompt, [ids for _, ids in pairs])
            for at, score in zip(places, scores, strict=True):
                found[at] = score
                self.cache_hook.add_partial("loglikelihood", requests[at].args, score)
        return [found[at] for at in range(len(requests))]

    def _pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        """Return the ids of a prompt and of what follows; none of a conversation."""
        if isinstance(context, Chat):
            return [], self.tok_encode(continuation, add_special_tokens=False)
        if not context:
            return [self.prefix_token_id], self.tok_encode(continuation, add_special_tokens=False)
        ids: tuple[list[int], list[int]] = self._encode_pair(context, continuation)
        return ids

    def _likelihood_prompt(
        self, context: str, pairs: Sequence[tuple[list[int], list[int]]]
    ) -> Prompt:
        longest = max(len(ids) for _, ids in pairs)
        if isinstance(context, Chat):
            return self._prompt(context, longest)
        return self.asked.raw_prompt(pairs[0][0], longest)

    def _loglikelihood_tokens(self, requests: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError("loglikelihood reads requests itself")

    def loglikelihood_rolling(
        self, requests: Sequence[Instance], disable_tqdm: bool = False
    ) -> NoReturn:
        """Refuse texts without a prompt."""
        raise MethodError(
            "A task of perplexity (loglikelihood_rolling) has no prompt, and a method acts on an "
            "answer to one: choose a task with a prompt, or lm-eval's own model hf."
        )


def run(words: list[str]) -> None:
    """Run lm-eval's own command, to which the model is known now.

    Args:
        words: Its command line, without the command.
    """
    from lm_eval.__main__ import cli_evaluate

    sys.argv = ["lm_eval", *words]
    cli_evaluate()
