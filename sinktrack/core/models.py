"""A checkpoint's name to a model and its processor, or a sentence that says why not."""

import shutil
import tempfile
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    BitsAndBytesConfig,
)

from sinktrack.core.architecture import decoder_layers, input_device
from sinktrack.core.attach import attach
from sinktrack.core.checkpoint import Checkpoint, find_checkpoint
from sinktrack.core.errors import AttachError, ModelError, reason
from sinktrack.core.families import FAMILIES, check_family, reads_pictures
from sinktrack.core.hub import hub_arguments, hub_hint
from sinktrack.core.products import fast_dtype
from sinktrack.core.progress import Say, told
from sinktrack.core.text_tokens import tokenizer_of
from sinktrack.machine import SMALL


def load(
    name: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    four_bit: bool = False,
    say: Say | None = None,
) -> tuple[Any, Any]:
    """Load a model and what turns text and pictures into its inputs.

    Only safetensors and GGUF weights are read, and no code from the checkpoint runs.

    Args:
        name: A local folder in the hub's layout, a .gguf file of a text model, the folder of a PEFT
            adapter, whose base model is loaded with it, or a hub name such as
            "Qwen/Qwen2.5-VL-7B-Instruct", with "@" and a branch, tag or commit for one that is not
            the newest.
        device: Where to put the model; by default the first CUDA GPU, else Apple's, else the CPU.
            "auto" spreads it over all GPUs, and over memory and disk where they do not hold it.
        dtype: Of the weights; by default bfloat16, but float32 for small models on the CPU, and
            for large ones where this CPU is no faster in bfloat16.
        four_bit: Quantise to 4 bits with bitsandbytes, for GPUs with little memory.
        say: Told a few times a second what is going on, such as "downloading, 1.2 of 7.5 GB", in
            place of progress bars.

    Returns:
        The model in eval mode, and its processor; for a text-only model its tokenizer.

    Raises:
        ModelError: If the folder or name does not exist, the hub cannot be reached, files are
            missing or damaged, the architecture is not one that SinkTrack works with, or the device
            is too small.
    """
    found = find_checkpoint(name)
    spread = device == "auto"
    place = default_device() if spread else _place(device)
    source: dict[str, Any] = {"trust_remote_code": False}
    if not found.local:
        source |= hub_arguments(found.place, found.revision)
    if found.gguf is not None:
        _need(found.name, "gguf", "reading GGUF files")
        source["gguf_file"] = found.gguf
    config = _attempt(
        found, "its config.json", lambda: AutoConfig.from_pretrained(found.place, **source)
    )
    loader, count = _loader(found, config)
    if dtype is None:
        small = place.type == "cpu" and count < SMALL
        dtype = torch.float32 if small else fast_dtype(place)
    options = source | _placing(found, config, place, spread, dtype, four_bit)
    with told(say) as bars:
        model = _weights(found, config, loader, options | bars)
    reader_class = AutoProcessor if reads_pictures(config) else AutoTokenizer
    reader = _attempt(
        found, "its processor", lambda: reader_class.from_pretrained(found.place, **source)
    )
    _check_reader(reader, config, str(name))
    if found.adapter is not None:
        _need(found.name, "peft", "a PEFT adapter")
        model = _attempt(found, "its adapter", partial(_adapted, model, found.adapter))
    if "device_map" not in options:
        model = _to_device(model, str(name), place)
    model.eval()
    if config.model_type not in FAMILIES:
        _try_out(model, str(name))
    return model, reader


def _placing(
    found: Checkpoint,
    config: Any,
    place: torch.device,
    spread: bool,
    dtype: torch.dtype,
    four_bit: bool,
) -> dict[str, Any]:
    """Return the arguments that say what weights become, and where those go that stay there."""
    options: dict[str, Any] = {"dtype": dtype}
    if found.gguf is None:
        options["use_safetensors"] = True
    elif hasattr(transformers, "GgufConfig"):
        # Later releases can leave weights packed, which needs kernels and is no faster here.
        options["quantization_config"] = transformers.GgufConfig(dequantize=True)
    if four_bit:
        options["quantization_config"] = _four_bit(found.name, place, dtype)
    if spread:
        options["device_map"] = "auto"
    elif four_bit or found.gguf is not None or quantised(config) is not None:
        options["device_map"] = {"": place}
    return options


def _weights(found: Checkpoint, config: Any, loader: Any, options: dict[str, Any]) -> Any:
    """Return a model with all its weights; what no device holds lies on disk while it lives."""
    kind = quantised(config)
    what = "its weights" if kind is None else f"its weights, quantised with {kind},"
    with ExitStack() as undo:
        if options.get("device_map") == "auto":
            disk = tempfile.mkdtemp(prefix="sinktrack-offload-")
            undo.callback(shutil.rmtree, disk, ignore_errors=True)
            options = options | {"offload_folder": disk}
        read = partial(loader.from_pretrained, found.place, output_loading_info=True, **options)
        model, report = _attempt(found, what, read)
        missing = report["missing_keys"]
        if missing:
            raise ModelError(
                f"{found.name} lacks {len(missing)} weights, {min(missing)} first: download or "
                "copy the checkpoint again."
            )
        weakref.finalize(model, undo.pop_all().close)
    return model


def quantised(config: Any) -> str | None:
    """Return how a checkpoint's weights are quantised, such as "awq"; None if they are not."""
    own = getattr(config, "quantization_config", None)
    own = own if isinstance(own, dict) or own is None else own.to_dict()
    return None if own is None else str(own.get("quant_method", "an unknown method"))


def _loader(found: Checkpoint, config: Any) -> tuple[Any, int]:
    """Return the class that loads a model, and how many weights it has.

    The model is built without them, to see its layers.
    """
    sees = reads_pictures(config)
    if config.model_type not in FAMILIES:
        check_family(found.name, config.to_dict())
    known = config.model_type in FAMILIES or not sees
    loader: Any = AutoModelForImageTextToText if sees else AutoModelForCausalLM
    if not known or type(config) not in loader._model_mapping:
        raise ModelError(
            f"{found.name} is of the model type {config.model_type!r}, which SinkTrack does not "
            f"know; choose one of the types {', '.join(FAMILIES)}, or a text model."
        )
    with torch.device("meta"):
        empty = _attempt(found, "its architecture", lambda: loader.from_config(config))
    try:
        decoder_layers(empty)
    except AttachError as error:
        raise ModelError(
            f"{found.name} is of the model type {config.model_type!r}. {error} Choose one of the "
            f"types {', '.join(FAMILIES)}."
        ) from error
    return loader, sum(weights.numel() for weights in empty.parameters())


def _adapted(model: Any, folder: Path) -> Any:
    """Return a model with an adapter's matrices beside its own."""
    from peft import PeftModel  # an extra

    return PeftModel.from_pretrained(model, str(folder)).get_base_model()


@torch.no_grad()
def _try_out(model: Any, name: str) -> None:
    """Refuse a family that nobody tried if recording changes its logits or fails."""
    words = model.config.get_text_config().vocab_size
    ids = (torch.arange(1, 33) * 7919 % words)[None].to(input_device(model))
    plain = model(input_ids=ids).logits[:, -1].float()
    try:
        with attach(model):
            seen = model(input_ids=ids).logits[:, -1].float()
        apart = float((seen - plain).norm() / plain.norm().clamp(min=1e-6))
        why = f"its logits differ by {apart:.0%} of their length" if apart > 0.05 else ""
    except Exception as error:  # a family fails in its own way
        why = reason(error)
    if why:
        raise ModelError(
            f"{name} is of the model type {model.config.model_type!r}, which was not known, and "
            f"tried here it cannot be recorded ({why}): choose one of the types "
            f"{', '.join(FAMILIES)}."
        )


def remarks(model: Any, processor: Any) -> tuple[str, ...]:
    """Return sentences that a person should read before asking a model anything."""
    said = []
    family = FAMILIES.get(model.config.model_type)
    if family is None:
        said.append(
            f"The model type {model.config.model_type!r} is not among those that are tested; it "
            "was tried when it was loaded."
        )
    elif family.one_view:
        said.append(
            "It is shown each picture in one view and not in tiles, so small things may be lost."
        )
    elif family.overview:
        said.append(
            "It reads each picture as an overview and as tiles; the map shows the overview, and "
            "what tiles get counts for the picture as a whole."
        )
    if not (getattr(processor, "chat_template", None) or tokenizer_of(processor).chat_template):
        said.append(
            "It has no chat template, so it goes on with the text as it stands, and takes neither "
            "a system prompt nor earlier turns."
        )
    return tuple(said)


def model_name(model: Any) -> str:
    """Return a hub name, a local folder's name without its path, or the model's class."""
    name = str(model.config.name_or_path or type(model).__name__)
    return Path(name).name if Path(name).is_dir() else name


def revision_of(model: Any) -> str:
    """Return the commit of the hub that a model was loaded from; "" where none is known."""
    return str(getattr(model.config, "_commit_hash", None) or "")


def _check_reader(reader: Any, config: Any, name: str) -> None:
    """Refuse a processor whose files are incomplete: it would lose the picture without a word."""
    if not reads_pictures(config):
        return
    if FAMILIES[config.model_type].has_template and not getattr(reader, "chat_template", None):
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
            f"There is no device {device!r}: give cpu, cuda, cuda:1, mps or auto."
        ) from error
    if place.type == "meta":
        raise ModelError("On the device meta nothing is computed: give cpu, cuda, cuda:1 or mps.")
    return place


def default_device() -> torch.device:
    """Return the first CUDA GPU, else Apple's GPU, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _attempt(found: Checkpoint, what: str, load_it: Callable[[], Any]) -> Any:
    """Load something, and say in one sentence what went wrong."""
    try:
        return load_it()
    except Exception as error:  # the loaders raise whatever their file formats raise
        said = reason(error)
        if found.local:
            hint = "check that it is a whole checkpoint with safetensors weights"
        else:
            hint = hub_hint(error)
        raise ModelError(f"{found.name}: {what} cannot be loaded; {hint}. ({said})") from error


def _need(name: str, package: str, what: str) -> None:
    """Refuse a checkpoint that needs a package which is not installed."""
    if find_spec(package) is None:
        raise ModelError(f"{name} needs the package {package} for {what}: pip install {package}.")


def _four_bit(name: str, place: torch.device, dtype: torch.dtype) -> BitsAndBytesConfig:
    """Return the settings for 4-bit weights."""
    if place.type != "cuda":
        raise ModelError(
            f"4-bit weights need a CUDA GPU, but the device is {place}: leave 4-bit off."
        )
    _need(name, "bitsandbytes", "4-bit weights")
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
