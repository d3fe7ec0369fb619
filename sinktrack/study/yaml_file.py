"""Reads study.yaml as plain values, and says in a sentence where it is not YAML and what to write.

Knows nothing about what the values mean.
"""

from pathlib import Path
from typing import Any

import yaml

from sinktrack.core.errors import StudyError, reason
from sinktrack.core.files import read_text


class _Twice(yaml.YAMLError):  # type: ignore[misc]  # PyYAML has no types
    """A name that is given twice in one place."""

    def __init__(self, name: str, line: int) -> None:
        super().__init__(f"says {name!r} twice in one place")
        self.name, self.line = name, line


class _EachOnce(yaml.SafeLoader):  # type: ignore[misc]
    """Refuses what YAML libraries take the last of: a lane or a parameter that is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping whose keys are all different."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise _Twice(key.value, key.start_mark.line + 1)
                seen.add((key.tag, key.value))
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def read_yaml(file: Path) -> dict[Any, Any]:
    """Return what a YAML file says, by name.

    Raises:
        StudyError: If it cannot be read, is no YAML, or says something else than names and values.
    """
    try:
        text = read_text(file)
    except UnicodeDecodeError as error:
        raise StudyError(f"{file} is not text that can be read: save it as UTF-8.") from error
    except OSError as error:
        raise StudyError(
            f"{file.parent} is no study, because {file} cannot be read: {error.strerror or error}."
        ) from error
    try:
        said = yaml.load(text, _EachOnce)
    except _Twice as error:
        raise StudyError(
            f"{file}, line {error.line}: it says {error.name!r} twice in one place: say it once."
        ) from error
    except yaml.MarkedYAMLError as error:
        raise StudyError(_sentence(file, text, error)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise StudyError(f"{file} is not YAML: {reason(error)}.") from error
    if not isinstance(said, dict):
        raise StudyError(f"{file} has to name at least title, model and lanes.")
    return said


def _sentence(file: Path, text: str, error: yaml.MarkedYAMLError) -> str:
    """Return where a text is not YAML, and what is likely meant."""
    mark = error.problem_mark or error.context_mark
    at = 0 if mark is None else mark.line
    lines = text.splitlines()
    line = lines[at] if at < len(lines) else ""
    said = f"{file}, line {at + 1} is not YAML: {' '.join(str(error.problem).split())}"
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return f"{said}; indent with spaces in place of tabs."
    if "got '?'" in said:  # inside braces a question mark before a comma means something else
        return f"{said}; put the text with the question mark between double quotes."
    _, colon, value = line.partition(":")
    value = value.strip()
    if colon and value and (": " in value or value[0] in "@%`*&!|>"):
        return f"{said}; put the text behind the colon between double quotes."
    if error.context_mark is not None and error.context_mark.line < at:
        start = error.context_mark.line + 1
        return f"{said}; look from line {start} on for what is not closed or indented otherwise."
    return f"{said}; compare it with the example in docs/studies.md."
