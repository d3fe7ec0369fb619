"""A conversation to a model's inputs, in which every token knows its part.

The chat template is rendered around placeholders, the users' texts are put in their places, and all
is encoded at once: so the ids are those of the tokenizer's own chat template. Control tokens in a
text, such as `<|im_end|>` or `<|image_pad|>`, are broken by an invisible character before, so they
are plain text to the model. Offsets tell which tokens are which text.
"""

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from sinktrack.core.errors import PromptError
from sinktrack.core.families import reads_pictures
from sinktrack.core.images import Picture
from sinktrack.core.messages import (
    MAX_QUESTION_TOKENS,
    Conversation,
    Text,
    conversation,
    passage_of,
    visuals_of,
    with_more,
    with_system,
    with_texts,
    without,
)
from sinktrack.core.parts import KINDS, Grid, PromptParts, is_of, kind_of, kinds_of_context
from sinktrack.core.processor import encoded, rendered
from sinktrack.core.text_tokens import (
    FoundTokens,
    TextSpan,
    control_tokens,
    exceeds,
    places_of,
    tokenizer_of,
    tokens_of,
    without_control_tokens,
)
from sinktrack.core.video import Video

# Tokenizers keep settings of the call under way, and threads may share one.
_TOKENIZING = threading.Lock()

_PLACEHOLDER = "PLACEHOLDER-{}-FOR-A-TEXT"


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One prompt, ready for a model.

    Args:
        inputs: Keyword arguments of the model's forward, batch size 1; input_ids is int64 (1, T).
        parts: int64 (T,), the part of each token as an index into `names`.
        names: The parts, "sink" in front and "generated" at the end; see `sinktrack.core.parts`.
        grids: How the tokens of each picture and video lie, pictures first.
        turns: The conversation as the model reads it.
        builder: What made it, so that a method can make one that lacks a part.
    """

    inputs: dict[str, torch.Tensor]
    parts: torch.Tensor
    names: tuple[str, ...]
    grids: tuple[Grid, ...] = ()
    turns: Conversation = ()
    builder: "PromptBuilder | None" = field(default=None, repr=False, compare=False)

    @classmethod
    def of_inputs(
        cls,
        config: Any,
        inputs: dict[str, torch.Tensor],
        instruction: torch.Tensor | None = None,
    ) -> "Prompt":
        """Return a prompt of inputs that were made elsewhere; its parts are told from the ids.

        Args:
            config: The model's config.
            inputs: Keyword arguments of its forward, batch size 1.
            instruction: bool (1, T), True on the user's text; None if it is not known.
        """
        parts = PromptParts.of(
            config,
            inputs["input_ids"],
            instruction=instruction,
            image_grid_thw=inputs.get("image_grid_thw"),
            video_grid_thw=inputs.get("video_grid_thw"),
        )
        return cls(
            inputs=inputs,
            parts=parts.parts[0],
            names=parts.names[0],
            grids=tuple(parts.grids[0]),
        )

    @property
    def question(self) -> str:
        """The last text of the user, as the model reads it."""
        return self.turns[-1].text if self.turns else ""

    @property
    def passage(self) -> str:
        """The passages, as the model reads them; "" without one."""
        return passage_of(self.turns)

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures as the model sees them, in order."""
        return tuple(each for each in visuals_of(self.turns) if isinstance(each, Picture))

    @property
    def videos(self) -> tuple[Video, ...]:
        """The videos as the model sees them, in order."""
        return tuple(each for each in visuals_of(self.turns) if isinstance(each, Video))

    @property
    def image_tokens(self) -> int:
        """How many tokens pictures and videos take."""
        return sum(grid.tokens for grid in self.grids)

    @property
    def instruction_mask(self) -> torch.Tensor:
        """True on the user's last text, bool (1, T): `attach`'s context_mask."""
        if "instruction" not in self.names:
            return torch.zeros_like(self.parts, dtype=torch.bool)[None]
        return (self.parts == self.names.index("instruction"))[None]

    def check_has(self, context: str, who: str, number: int | None = None) -> None:
        """Refuse a context that the prompt lacks.

        Args:
            context: Kinds of parts joined by "+", or "prompt" for every token.
            who: The method that needs it.
            number: Which prompt of several this is; None for the only one.

        Raises:
            PromptError: With what is missing and what is there.
        """
        for kind in [] if context == "prompt" else kinds_of_context(context):
            if not any(is_of(name, kind) for name in self.names[1:-1]):
                prompt = "the prompt" if number is None else f"prompt {number}"
                raise PromptError(
                    f"{who} needs the context {context!r}, but {prompt} has no {kind}; its "
                    f"parts are {', '.join(self.names[1:-1])}: give it one, or choose another "
                    "context or method."
                )

    def without(self, kind: str) -> "Prompt":
        """Return the prompt of the same conversation without its parts of a kind.

        Args:
            kind: Such as "passage", "image" or "system".

        Raises:
            PromptError: If it has none, or was not made by a builder.
        """
        left = without(self.turns, kind)
        if left == self.turns or self.builder is None:
            have = ", ".join(self.names[1:-1])
            raise PromptError(
                f"The prompt has no {kind} that could be left out; its parts are {have}: give one, "
                "or choose another method."
            )
        return self.builder.build(left, needs_picture=False)

    def saying(self, *, before: str = "", after: str = "") -> "Prompt":
        """Return the prompt of the same conversation with more around the user's last text."""
        return self._rebuilt(with_more(self.turns, before, after) if self.turns else ())

    def told(self, system: str) -> "Prompt":
        """Return the prompt of the same conversation with another system prompt."""
        return self._rebuilt(with_system(self.turns, system) if self.turns else ())

    def _rebuilt(self, turns: Conversation) -> "Prompt":
        """Return the prompt of another conversation, whose texts may be longer than a person's."""
        if self.builder is None:
            raise PromptError(
                "The prompt was not made of a conversation, so it cannot be changed: ask by "
                "sinktrack.compare, or choose another method."
            )
        return self.builder.build(turns, needs_picture=False, any_length=True)


def build_prompt(
    model: Any,
    processor: Any,
    question: str | None = None,
    pictures: Sequence[Any] = (),
    *,
    video: Any = None,
    passage: str | None = None,
    messages: Sequence[Any] | None = None,
    system: str | None = None,
    answer_tokens: int = 0,
    max_question_tokens: int = MAX_QUESTION_TOKENS,
    max_passage_tokens: int | None = None,
    needs_picture: bool = True,
) -> Prompt:
    """Turn what is asked into one model prompt.

    Args:
        model: Tells whether pictures are understood, and which token ids stand for them.
        processor: The model's processor, or the tokenizer of a text-only model.
        question: As for `sinktrack.core.messages.conversation`, like the next five.
        pictures: The pictures, in the order in which the model sees them.
        video: A video.
        passage: The text that the question is about.
        messages: A conversation in transformers' chat format.
        system: The system prompt.
        answer_tokens: How many tokens of the model's context are kept for the answer.
        max_question_tokens: The longest question.
        max_passage_tokens: The longest passages, together; by default what the model's context
            leaves.
        needs_picture: Refuse a bare question to a vision-language model, where a person has more
            likely forgotten the picture than left it out.

    Returns:
        The prompt on the CPU.

    Raises:
        PromptError: If a text is blank or too long, or pictures and model do not go together.
        PictureError: If a picture or video cannot be used.
    """
    turns = conversation(
        question=question,
        images=pictures,
        video=video,
        passage=passage,
        messages=messages,
        system=system,
    )
    builder = PromptBuilder(
        model.config,
        processor,
        answer_tokens=answer_tokens,
        max_question_tokens=max_question_tokens,
        max_passage_tokens=max_passage_tokens,
    )
    return builder.build(turns, needs_picture=needs_picture)


class PromptBuilder:
    """Makes prompts for one model.

    Args:
        config: The model's config.
        processor: Its processor, or the tokenizer of a text-only model.
        answer_tokens: As for `build_prompt`.
        max_question_tokens: As for `build_prompt`.
        max_passage_tokens: As for `build_prompt`.
    """

    def __init__(
        self,
        config: Any,
        processor: Any,
        *,
        answer_tokens: int = 0,
        max_question_tokens: int = MAX_QUESTION_TOKENS,
        max_passage_tokens: int | None = None,
    ) -> None:
        self._config, self._processor = config, processor
        self._tokenizer = tokenizer_of(processor)
        self._answer_tokens = answer_tokens
        self._limits = {"instruction": max_question_tokens, "passage": max_passage_tokens}

    def build(
        self, turns: Conversation, *, needs_picture: bool = True, any_length: bool = False
    ) -> Prompt:
        """Encode a conversation.

        Args:
            turns: The conversation.
            needs_picture: As for `build_prompt`.
            any_length: Whether only the model's context limits question and passage.

        Raises:
            PromptError: As `build_prompt`.
        """
        seen = [each for turn in turns for each in turn.content if not isinstance(each, Text)]
        sees = reads_pictures(self._config)
        bare = not seen and all(len(turn.content) == 1 for turn in turns) and len(turns) < 3
        if sees and needs_picture and bare:
            raise PromptError("There is no picture: give one with the question.")
        if seen and not sees:
            raise PromptError(
                f"The model type {self._config.model_type!r} reads text only: leave the picture "
                "out or choose a vision-language model."
            )
        with _TOKENIZING:
            return self._build(turns, {} if any_length else self._limits)

    def _build(self, turns: Conversation, limits: Mapping[str, int | None]) -> Prompt:
        texts = [each for turn in turns for each in turn.content if isinstance(each, Text)]
        self._check_far_too_long([each.text for each in texts])
        holders = [_PLACEHOLDER.format(number) for number in range(len(texts))]
        literals = re.split(
            "|".join(map(re.escape, holders)),
            rendered(self._config, self._processor, turns, holders),
        )
        if len(literals) != len(texts) + 1:
            raise PromptError(
                f"The model's chat template writes {len(literals) - 1} texts where {len(texts)} "
                "were given, so their tokens cannot be told: give the model another chat template."
            )
        controls = control_tokens(self._config, self._tokenizer, "".join(literals))
        broken = [without_control_tokens(each.text, controls) for each in texts]
        text, spans = literals[0], []
        for each, own, literal in zip(texts, broken, literals[1:], strict=True):
            spans.append(TextSpan(begin=len(text), end=len(text) + len(own), kind=each.kind))
            text += own + literal
        if rendered(self._config, self._processor, turns, broken) != text:
            raise PromptError(
                "The model's chat template changes this question, so its tokens cannot be told: "
                "take unusual words such as '</think>' out of it, or give another chat template."
            )
        turns = with_texts(turns, broken)
        found = tokens_of(self._tokenizer, text, spans)
        for kind, limit in limits.items():
            count = found.count(spans, kind)
            if limit is not None and count > limit:
                what = "question" if kind == "instruction" else kind
                raise PromptError(
                    f"The {what} has {count} tokens; the limit is {limit}: shorten it."
                )
        return self._labelled(turns, text, spans, found, set(controls.values()))

    def _labelled(
        self,
        turns: Conversation,
        text: str,
        spans: Sequence[TextSpan],
        found: "FoundTokens",
        controls: set[int],
    ) -> Prompt:
        """Encode a rendered text and tell the part of each token."""
        inputs = encoded(self._config, self._processor, text, turns)
        ids = inputs["input_ids"]
        whole = PromptParts.of(
            self._config,
            ids,
            image_grid_thw=inputs.get("image_grid_thw"),
            video_grid_thw=inputs.get("video_grid_thw"),
        )
        self._check_context(spans, found, ids.shape[1])
        if len(whole.grids[0]) != len(visuals_of(turns)):
            raise PromptError(
                f"The model's processor makes {len(whole.grids[0])} runs of tokens of "
                f"{len(visuals_of(turns))} pictures and videos, so they cannot be told apart: give "
                "one picture."
            )
        kinds = [KINDS.index(kind_of(name)) for name in whole.names[0][1:-1]]
        kind_at = torch.tensor([KINDS.index("rest"), *kinds])[whole.parts[0]]
        where = places_of(found.ids, ids[0].tolist(), kind_at != KINDS.index("rest"))
        for span, inside in zip(spans, found.inside, strict=True):
            places = [where.get(at) for at in inside]
            forged = {found.ids[at] for at in inside} & controls - {self._tokenizer.unk_token_id}
            whole_run = None not in places and places == list(
                range(places[0] or 0, (places[0] or 0) + len(places))
            )
            if not whole_run or forged:
                raise PromptError(
                    "The question cannot be told from the chat template's own tokens here: take "
                    "unusual characters out of it."
                )
            kind_at[places] = KINDS.index(span.kind)
        parts, names = whole.named(kind_at)
        return Prompt(
            inputs=inputs,
            parts=parts,
            names=names,
            grids=tuple(whole.grids[0]),
            turns=turns,
            builder=self,
        )

    def _check_far_too_long(self, texts: Sequence[str]) -> None:
        """Refuse texts of many times the model's context before all of them is encoded."""
        context = getattr(self._config.get_text_config(), "max_position_embeddings", None)
        # no character is more than four tokens: one for each of its bytes
        if context is None or 4 * sum(map(len, texts)) <= 2 * context:
            return
        if exceeds(self._tokenizer, texts, 2 * context):
            raise PromptError(
                f"The texts have more than {2 * context} tokens, but the model's context holds "
                f"{context}: ask with less."
            )

    def _check_context(self, spans: Sequence[TextSpan], found: "FoundTokens", length: int) -> None:
        """Refuse a prompt that, with its answer, is longer than the model's context."""
        decoder = self._config.get_text_config()
        context = getattr(decoder, "max_position_embeddings", None)
        if context is None or length + self._answer_tokens <= context:
            return
        passage = found.count(spans, "passage")
        room = context - self._answer_tokens - (length - passage)
        if passage and room > 0:
            raise PromptError(
                f"The passage has {passage} tokens; beside the question and an answer of "
                f"{self._answer_tokens} the model's context of {context} leaves room for {room}: "
                "shorten it."
            )
        raise PromptError(
            f"The prompt has {length} tokens and the answer may have {self._answer_tokens}, but "
            f"the model's context holds {context}: ask with less."
        )
