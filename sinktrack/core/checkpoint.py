"""What the name of a model stands for, as far as its files tell, and why it cannot be loaded.

Reads names, sizes and JSON alone, without torch, so that a wrong folder is refused at once.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinktrack.core.errors import ModelError
from sinktrack.core.families import check_family
from sinktrack.core.names import exists


@dataclass(frozen=True)
class Checkpoint:
    """A model's files.

    Args:
        name: As it was given.
        place: A folder, or a hub name.
        gguf: The name of a GGUF file in the folder, which then holds everything.
        adapter: The folder of a PEFT adapter; `place` is then its base model.
        revision: A branch, tag or commit on the hub; None for the newest.
    """

    name: str
    place: str
    gguf: str | None = None
    adapter: Path | None = None
    revision: str | None = None

    @property
    def local(self) -> bool:
        """Whether it lies on this machine."""
        return exists(self.place)


def find_checkpoint(name: str | Path) -> Checkpoint:
    """Return what a name stands for.

    Args:
        name: A folder, a .gguf file, or a hub name, with or without "@" and a revision.

    Raises:
        ModelError: With a sentence, if the files tell already that it cannot be loaded.
    """
    name = str(name)
    path = Path(name)
    if exists(path):
        if path.suffix == ".gguf" and path.is_file():
            return Checkpoint(name, str(path.parent), gguf=path.name)
        if path.is_file():
            raise ModelError(
                f"{name} is a file: give the folder that it lies in, a .gguf file or a hub name."
            )
        return _folder(name, path)
    place, at, revision = name.partition("@")
    if place.count("/") != 1 or name.startswith((".", "/", "~")) or len(name) > 200:
        raise ModelError(f"There is no model folder {name[:200]}: check the path.")
    if at and not revision:
        raise ModelError(f"{name} ends with @: name a branch, tag or commit behind it.")
    return Checkpoint(name, place, revision=revision or None)


def _folder(name: str, folder: Path) -> Checkpoint:
    """Look into a folder."""
    files = {path.name for path in folder.iterdir()}
    if "adapter_config.json" in files:
        return _adapter(name, folder, files)
    if "config.json" not in files:
        quantised = sorted(each for each in files if each.endswith(".gguf"))
        if quantised:
            raise ModelError(f"{name} holds GGUF files: give one of them, {name}/{quantised[0]}.")
        raise ModelError(f"{name} has no config.json: give a folder with a whole checkpoint.")
    check_family(name, _json(folder / "config.json"))
    _check_weights(name, folder, files)
    return Checkpoint(name, name)


def _adapter(name: str, folder: Path, files: set[str]) -> Checkpoint:
    """Find the base model of a PEFT adapter."""
    base = _json(folder / "adapter_config.json").get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise ModelError(
            f"{name} is a PEFT adapter that names no base model: write base_model_name_or_path "
            "into its adapter_config.json."
        )
    if "adapter_model.safetensors" not in files:
        raise ModelError(
            f"{name} has no adapter_model.safetensors: save the adapter as safetensors."
        )
    if exists(folder / base):
        base = str(folder / base)
    try:
        found = find_checkpoint(base)
    except ModelError as error:
        raise ModelError(
            f"{name} is a PEFT adapter of {base}, which cannot be loaded. {error}"
        ) from error
    return Checkpoint(name, found.place, found.gguf, folder, found.revision)


def _check_weights(name: str, folder: Path, files: set[str]) -> None:
    """Refuse a folder that lacks weights, which loading would tell later."""
    if "model.safetensors" in files:
        return
    index = folder / "model.safetensors.index.json"
    if index.name in files:
        shards = set(_json(index).get("weight_map", {}).values())
        missing = sorted(shard for shard in shards if shard not in files)
        if missing:
            raise ModelError(
                f"{name} lacks {len(missing)} of {len(shards)} files of weights, {missing[0]} "
                "first: download or copy the checkpoint again."
            )
        return
    pickled = sorted(each for each in files if each.endswith((".bin", ".pt", ".pth", ".ckpt")))
    if pickled:
        raise ModelError(
            f"{name} has its weights in {pickled[0]}, a pickle, which could run anything and is "
            "not read: convert it to safetensors."
        )
    raise ModelError(
        f"{name} has no safetensors weights: give a folder that holds a whole checkpoint."
    )


def _json(path: Path) -> dict[str, Any]:
    """Read a file that must hold a JSON object."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} is no JSON that can be read: download or copy the checkpoint again."
        ) from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds no JSON object: download or copy the checkpoint again.")
    return found
