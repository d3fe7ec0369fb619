"""A checkpoint's name to a model and its processor, or a sentence that says why not."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    BitsAndBytesConfig,
)

from sinktrack.core.architecture import decoder_layers
from sinktrack.core.errors import ModelError, reason
from sinktrack.core.names import check_name
from sinktrack.core.prompt import reads_pictures


def load(
    name: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    four_bit: bool = False,
) -> tuple[Any, Any]:
    """Load a model and what turns text and pictures into its inputs.

    Only safetensors weights are read, and no code from the checkpoint runs.

    Args:
        name: A local folder in the hub's layout, or a hub name such as
            "Qwen/Qwen2.5-VL-7B-Instruct".
        device: Where to put the model; by default the first CUDA GPU, else Apple's, else the CPU.
        dtype: Of the weights; by default float32 on the CPU and bfloat16 elsewhere.
        four_bit: Quantise to 4 bits with bitsandbytes, for GPUs with little memory.

    Returns:
        The model in eval mode, and its processor; for a text-only model its tokenizer.

    Raises:
        ModelError: If the folder or name does not exist, the hub cannot be reached, files are
            missing or damaged, the architecture is not one that SinkTrack works with, or the device
            is too small.
    """
    name = str(name)
    check_name(name)
    place = _place(device)
    if dtype is None:
        dtype = torch.float32 if place.type == "cpu" else torch.bfloat16
    config = _attempt(name, "its config.json", AutoConfig.from_pretrained)
    if config.model_type not in FAMILIES:
        raise ModelError(
            f"{name} is of the model type {config.model_type!r}, which {_why_not(config)}; choose "
            f"one of the types {', '.join(FAMILIES)}."
        )
    sees = reads_pictures(config)
    options: dict[str, Any] = {"dtype": dtype, "use_safetensors": True}
    if four_bit:
        options["quantization_config"] = _four_bit(place, dtype)
        options["device_map"] = {"": place}
    loader = AutoModelForImageTextToText if sees else AutoModelForCausalLM
    model = _attempt(
        name, "its weights", loader.from_pretrained, output_loading_info=True, **options
    )
    model, report = model
    if report["missing_keys"]:
        raise ModelError(
            f"{name} lacks {len(report['missing_keys'])} weights, {min(report['missing_keys'])} "
            "first: download or copy the checkpoint again."
        )
    reader = _attempt(
        name, "its processor", (AutoProcessor if sees else AutoTokenizer).from_pretrained
    )
    _check_reader(reader, config, name)
    decoder_layers(model)
    if not four_bit:
        model = _to_device(model, name, place)
    return model.eval(), reader


# By config.model_type: those whose attention was compared with what is made of a context here.
FAMILIES = (
    *("qwen2_5_vl", "gemma3", "qwen2", "llama"),
    *("qwen2_vl", "qwen3_vl", "gemma3_text"),
)

# Families whose attention has a learned sink logit; only the loaded weights would show it.
_LEARNED_SINKS = {
    *("gpt_oss", "mimo_v2_flash", "deepseek_v4", "hy_v4", "hy_v4_vl", "flint"),
    *("granite_swa", "granitemoe_swa"),
}


def _why_not(config: Any) -> str:
    """Say why a model type is not among the families."""
    if config.model_type in _LEARNED_SINKS:
        return "has learned sink logits that take the place of the first token"
    kinds = getattr(config.get_text_config(), "layer_types", None) or ()
    linear = next((kind for kind in kinds if "attention" not in kind or "linear" in kind), None)
    if linear is not None:
        return f"has {linear} layers, and without softmax attention no token is an attention sink"
    return "SinkTrack does not know"


def model_name(model: Any) -> str:
    """Return a hub name, a local folder's name without its path, or the model's class."""
    name = str(model.config.name_or_path or type(model).__name__)
    return Path(name).name if Path(name).is_dir() else name


def _check_reader(reader: Any, config: Any, name: str) -> None:
    """Refuse a processor whose files are incomplete: it would lose the picture without a word."""
    if not reads_pictures(config):
        return
    if not getattr(reader, "chat_template", None):
        raise ModelError(f"{name} has no chat template: download or copy the checkpoint again.")
    tokenizer = reader.tokenizer
    # One token of its own is what counts: `sinktrack.core.prompt` keeps users from typing it.
    if config.image_token_id not in tokenizer.added_tokens_decoder:
        raise ModelError(
            f"{name} has a tokenizer without the model's image token: download or copy the "
            "checkpoint again."
        )


def _place(device: str | torch.device | None) -> torch.device:
    """Return the device that was asked for, or the best one."""
    if device is None:
        return default_device()
    try:
        place = torch.device(device)
    except Exception as error:  # some kinds of device look for a package of their own
        raise ModelError(
            f"There is no device {device!r}: give cpu, cuda, cuda:1 or mps."
        ) from error
    if place.type == "meta":
        raise ModelError("On the device meta nothing is computed: give cpu, cuda, cuda:1 or mps.")
    return place


def default_device() -> torch.device:
    """Return the first CUDA GPU, else Apple's GPU, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _attempt(name: str, what: str, load_it: Any, **options: Any) -> Any:
    """Call a `from_pretrained` and say in one sentence what went wrong."""
    try:
        return load_it(name, trust_remote_code=False, **options)
    except Exception as error:  # the loaders raise whatever their file formats raise
        where = (
            "check that the folder holds a whole checkpoint with safetensors weights"
            if Path(name).exists()
            else "check the name and the connection to the hub, or give a local folder"
        )
        raise ModelError(f"{name}: {what} cannot be loaded; {where}. ({reason(error)})") from error


def _four_bit(place: torch.device, dtype: torch.dtype) -> BitsAndBytesConfig:
    """Return the settings for 4-bit weights."""
    if place.type != "cuda":
        raise ModelError(
            f"4-bit weights need a CUDA GPU, but the device is {place}: leave 4-bit off."
        )
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
    )


def _to_device(model: Any, name: str, place: torch.device) -> Any:
    """Move a model, and say in one sentence if there is no room."""
    try:
        return model.to(place)
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{name} does not fit on {place}: choose a smaller model, 4-bit weights or the CPU."
        ) from error
    except Exception as error:  # every kind of device fails in its own way
        raise ModelError(
            f"The device {place} cannot be used: choose another. ({reason(error)})"
        ) from error
