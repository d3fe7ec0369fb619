"""What a name given to a program means, as far as that can be told without loading anything."""

from pathlib import Path

from sinktrack.core.errors import StudyError

# The small checkpoint that comes along in a checkout.
BUNDLED = Path(__file__).parents[2] / "assets" / "shapes-vl-anchored"


def exists(path: str | Path) -> bool:
    """Tell whether there is a file or folder of this name, which may be no possible name."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def check_study_folder(study: str) -> None:
    """Refuse at once what is no folder of a study.

    Raises:
        StudyError: With what is missing.
    """
    if not exists(study) or not Path(study).is_dir():
        raise StudyError(f"There is no study folder {study[:200]}: check the path.")
    if not (Path(study) / "study.yaml").is_file():
        raise StudyError(
            f"{study} is no study, because it has no study.yaml: make one with sinktrack study new."
        )
