"""What the hub is asked for, its cache where it cannot be reached, and what to do about a no."""

from typing import Any

from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError

from sinktrack.core.errors import ModelError, reason

_SECONDS = 5.0
"""How long the hub may take for its first answer."""


def hub_arguments(name: str, revision: str | None) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` with which a repository is found.

    Args:
        name: Such as "Qwen/Qwen2.5-VL-3B-Instruct".
        revision: A branch, tag or commit; None for the newest.

    Raises:
        ModelError: If the hub cannot be reached and its cache has no such model.
    """
    source = {} if revision is None else {"revision": revision}
    try:
        get_hf_file_metadata(hf_hub_url(name, "config.json", revision=revision), timeout=_SECONDS)
    except HfHubHTTPError:
        return source  # It answers; the loaders say what is wrong.
    except Exception as error:  # whatever stands between here and there
        if not isinstance(try_to_load_from_cache(name, "config.json", revision=revision), str):
            raise ModelError(
                f"{name} is not in the hub's cache, and the hub cannot be reached: check the "
                f"connection, or give a local folder. ({reason(error)})"
            ) from error
        # Asked for each file, the hub would be tried again and again, for minutes.
        return source | {"local_files_only": True}
    return source


def hub_hint(error: Exception) -> str:
    """Say what to do about what the hub or its cache said."""
    said = str(error)
    if isinstance(error, PermissionError) or "Permission denied" in said:
        return "the hub's cache cannot be written: set HF_HOME to a folder that can be"
    if any(word in said for word in ("gated", "401", "403")):
        return "it is private or must be asked for: log in with `hf auth login` or set HF_TOKEN"
    if "valid git identifier" in said:
        return "there is no such branch, tag or commit: check what stands behind the @"
    if "not a valid model identifier" in said:
        return (
            "there is no such model, or it is private: check the name, or log in with "
            "`hf auth login` or HF_TOKEN"
        )
    return "check the name and the connection to the hub, or give a local folder"
