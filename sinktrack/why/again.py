"""Lets a model write the words of a comparison again, up to the one that somebody asks about."""

from typing import Any

from sinktrack.core.architecture import unwrapped
from sinktrack.core.cache import cache_of_json
from sinktrack.core.comparison import Comparison
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import PromptError, TraceError
from sinktrack.core.generate import Generator
from sinktrack.core.messages import as_messages, conversation
from sinktrack.core.models import model_name
from sinktrack.core.prompt import Prompt, PromptBuilder
from sinktrack.core.text_tokens import tokenizer_of


def writing_again(model: Any, processor: Any, comparison: Comparison, at: int) -> Generator:
    """Return a generator that writes the answers up to token `at`, and that one last.

    Answers that have no such token are left out. Each method acts as it did.

    Args:
        model: That which answered.
        processor: Its processor or tokenizer.
        comparison: The answers.
        at: Which token, from 0.

    Raises:
        TraceError: If no answer has so many tokens.
        PromptError: If the model is not the one that answered, or reads the question otherwise.
    """
    answers = {name: each for name, each in comparison.items() if len(each.token_ids) > at >= 0}
    if not answers:
        most = max(len(each.token_ids) for each in comparison.values())
        raise TraceError(f"There is no token {at}: the longest answer has {most}, counted from 0.")
    return Generator(
        model,
        tokenizer_of(processor),
        [prompt_of(model, processor, comparison)],
        {name: each.method for name, each in answers.items()},
        decoding=Decoding(max_new_tokens=at + 1),
        cache=cache_of_json(comparison.settings["cache"]),
        beginnings=[{name: each.token_ids[: at + 1] for name, each in answers.items()}],
    )


def prompt_of(model: Any, processor: Any, comparison: Comparison) -> Prompt:
    """Return the prompt of a comparison, built anew.

    Raises:
        PromptError: If it is not the one that was answered.
    """
    if model_name(model) != comparison.model_name:
        raise PromptError(
            f"{comparison.model_name} answered this, and not {model_name(model)}: load that one."
        )
    builder = PromptBuilder(unwrapped(model).config, processor)
    # it was answered, whatever the limits of a page are
    prompt = builder.build(
        conversation(messages=as_messages(comparison.turns)), needs_picture=False, any_length=True
    )
    ids = [token.id for token in comparison.prompt]
    if prompt.inputs["input_ids"][0].tolist() != ids:
        raise PromptError(
            f"This model reads the question in other tokens than {comparison.model_name} did, which"
            " answered it: load that one."
        )
    return prompt
