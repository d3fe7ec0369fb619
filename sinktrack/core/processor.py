"""What a model's processor makes of a conversation: its chat template's text, and its inputs."""

from collections.abc import Sequence
from typing import Any

import torch

from sinktrack.core.errors import PromptError, reason
from sinktrack.core.families import FAMILIES, Family, reads_pictures
from sinktrack.core.images import Picture
from sinktrack.core.messages import Conversation, template_content, with_texts
from sinktrack.core.text_tokens import tokenizer_of
from sinktrack.core.texts import BETWEEN_TEXTS
from sinktrack.core.video import Video


def rendered(config: Any, processor: Any, turns: Conversation, texts: Sequence[str]) -> str:
    """Return the chat template's text around a conversation with other texts."""
    tokenizer = tokenizer_of(processor)
    template = getattr(processor, "chat_template", None) or tokenizer.chat_template
    if not template:
        if len(turns) > 1:
            raise PromptError(
                "The model has no chat template, so it reads one text alone: leave the system "
                "prompt and earlier turns out, or choose a model with a chat template."
            )
        before = tokenizer.bos_token
        if pictures := sum(isinstance(each, Picture) for each in turns[0].content):
            before = processor.image_token * pictures  # it puts the first token behind
        return str(before or "") + BETWEEN_TEXTS.join(texts)
    in_parts = reads_pictures(config)
    messages = [
        {"role": turn.role, "content": template_content(turn.content, in_parts=in_parts)}
        for turn in with_texts(turns, texts)
    ]
    try:
        text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # a template is a program, which fails as it likes
        hint = ". Leave the system prompt out" if turns[0].role == "system" else ""
        raise PromptError(f"The model's chat template fails: {reason(error)}{hint}.") from error
    return str(text)


def encoded(config: Any, processor: Any, text: str, turns: Conversation) -> dict[str, torch.Tensor]:
    """Return the processor's inputs for a prompt."""
    # The template has written the first token already where the tokenizer would add one.
    options: dict[str, Any] = {"add_special_tokens": False, "return_tensors": "pt"}
    seen = [each for turn in turns for each in turn.content]
    images = [each.image for each in seen if isinstance(each, Picture)]
    videos = [each for each in seen if isinstance(each, Video)]
    if images:
        family = FAMILIES.get(config.model_type, Family(""))
        # Those with an overview must know which pictures share a prompt.
        options |= {"images": [images] if family.overview else images, **family.one_view}
    if videos:
        if getattr(processor, "video_processor", None) is None:
            raise PromptError(
                f"The model type {config.model_type!r} reads no videos: give pictures."
            )
        options |= {
            "videos": [each.pixels() for each in videos],
            "do_sample_frames": False,
            "video_metadata": [each.metadata() for each in videos],
        }
    try:
        inputs = processor(text=[text], **options)
    except ValueError as error:  # such as of a family that reads nothing without a picture
        raise PromptError(
            f"The model's processor cannot read this prompt: {reason(error)}"
        ) from error
    return {
        name: value
        for name, value in inputs.items()
        if isinstance(value, torch.Tensor) and name != "labels"  # for training
    }
