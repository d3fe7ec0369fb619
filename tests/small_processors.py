"""Small processors of families that read pictures, on the tokenizer that comes along."""

from typing import Any

import transformers
from paths import CHECKPOINT
from small_models import small_model
from transformers import AddedToken, AutoTokenizer

SIDE = {"height": 56, "width": 56}
TILES = [[56, 112], [112, 56]]
"""Sizes that a picture is cut into tiles at."""
CHAT = (
    "{% for turn in messages %}<|im_start|>{{ turn.role }}\n{% for part in turn.content %}"
    "{% if part.type == 'image' %}IMAGE{% elif part.type == 'video' %}<video>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}<|im_start|>assistant\n"
)


def small_processor(family: str) -> Any:
    """Return a processor that reads pictures of 56 by 56 pixels as `small_model` does."""
    image = _image_token(family)
    names = {"image_token": image}
    if family == "internvl":
        names = {
            "context_image_token": image,
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "video_token": "<video>",
        }
    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT, extra_special_tokens=names)
    marks = [image, "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
    marks += ["<video>"] if family == "llava_onevision" else []
    tokenizer.add_tokens([AddedToken(each, special=True) for each in marks])
    between = "\n" if family == "llava_next" else ""
    template = CHAT.replace("IMAGE", image + between)
    if family in ("llava", "llava_next"):
        size: dict[str, Any] = {"size": {"shortest_edge": 56}, "crop_size": SIDE}
        made: Any = transformers.LlavaProcessor
        pictures: Any = transformers.CLIPImageProcessor
        if family == "llava_next":
            made, pictures = transformers.LlavaNextProcessor, transformers.LlavaNextImageProcessor
            size["image_grid_pinpoints"] = TILES
        return made(
            pictures(**size),
            tokenizer,
            patch_size=14,
            vision_feature_select_strategy="default",
            num_additional_image_tokens=1,
            chat_template=template,
        )
    if family == "llava_onevision":
        return transformers.LlavaOnevisionProcessor(
            transformers.LlavaOnevisionImageProcessor(size=SIDE, image_grid_pinpoints=TILES),
            tokenizer,
            transformers.LlavaOnevisionVideoProcessor(size=SIDE),
            num_image_tokens=16,
            vision_feature_select_strategy="full",
            chat_template=template,
        )
    if family == "internvl":
        return transformers.InternVLProcessor(
            transformers.GotOcr2ImageProcessor(size=SIDE, crop_to_patches=True),
            tokenizer,
            transformers.InternVLVideoProcessor(size=SIDE),
            image_seq_length=4,
            chat_template=template,
        )
    if family == "paligemma":
        tokenizer.bos_token, tokenizer.chat_template = "<|endoftext|>", None
        pictures = transformers.SiglipImageProcessor(size=SIDE)
        pictures.image_seq_length = 16
        return transformers.PaliGemmaProcessor(pictures, tokenizer)
    size = {"longest_edge": 112}
    options = {"size": size, "max_image_size": {"longest_edge": 56}, "do_image_splitting": True}
    if family == "idefics3":
        pictures = transformers.Idefics3ImageProcessor(**options)
        return transformers.Idefics3Processor(
            pictures, tokenizer, image_seq_len=4, chat_template=template
        )
    videos = transformers.SmolVLMVideoProcessor(size=size, max_image_size=size)
    return transformers.SmolVLMProcessor(
        transformers.SmolVLMImageProcessor(**options),
        tokenizer,
        videos,
        image_seq_len=4,
        chat_template=template,
    )


def small_checkpoint(family: str) -> tuple[Any, Any]:
    """Return a small model that reads pictures, and its processor."""
    processor = small_processor(family)
    words = processor.tokenizer
    model = small_model(family, vocab_size=len(words))
    config = model.config
    if hasattr(config, "image_grid_pinpoints"):
        config.image_grid_pinpoints = TILES
    config.image_token_id = words.convert_tokens_to_ids(_image_token(family))
    if family == "llava_onevision":
        config.video_token_id = words.convert_tokens_to_ids("<video>")
    return model, processor


def _image_token(family: str) -> str:
    return "<IMG_CONTEXT>" if family == "internvl" else "<image>"
