"""The value of a setting, as people read it."""

from typing import Any


def setting_in_words(value: Any) -> str:
    """Return a JSON value in words: yes and no, lists with commas, and "not set" for None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {setting_in_words(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(setting_in_words, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "not set" if value is None else str(value)
