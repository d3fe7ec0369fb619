"""What a name given to a program means, as far as that can be told without loading anything."""

from pathlib import Path

from sinktrack.errors import ModelError, StudyError

# The small checkpoint that comes along in a checkout.
BUNDLED = Path(__file__).parents[1] / "assets" / "shapes-vl-anchored"


def check_name(name: str) -> None:
    """Refuse at once what is neither a checkpoint's folder nor shaped like a hub name.

    Raises:
        ModelError: With a sentence that says which.
    """
    folder = Path(name)
    if folder.exists() and not (folder / "config.json").is_file():
        raise ModelError(f"{name} has no config.json: give a folder with a whole checkpoint.")
    if not folder.exists() and (name.count("/") != 1 or name.startswith((".", "/", "~"))):
        raise ModelError(f"There is no model folder {name}: check the path.")


def check_study_folder(study: str) -> None:
    """Refuse at once what is no folder of a study.

    Raises:
        StudyError: With what is missing.
    """
    if not Path(study).is_dir():
        raise StudyError(f"There is no study folder {study}: check the path.")
    if not (Path(study) / "study.yaml").is_file():
        raise StudyError(f"{study} is no study, because it has no study.yaml.")
