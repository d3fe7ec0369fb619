"""What can be set from the command line and the environment, and which model a machine gets.

Knows nothing about torch or gradio.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from app.shared.machine import DATA
from sinktrack.core.checkpoint import find_checkpoint
from sinktrack.core.errors import SinkTrackError
from sinktrack.core.files import check_usable
from sinktrack.core.names import BUNDLED, check_study_folder
from sinktrack.eval.run_files import find_runs

GIB = 1024**3

DEFAULT_GALLERY = "sinktrack-gallery"
"""In the folder where the page is started."""

# The most memory first. A card sold as 24 or 8 GB shows a little less than that to programs.
_BY_MEMORY = (
    (20 * GIB, "Qwen/Qwen2.5-VL-7B-Instruct"),
    (int(7.5 * GIB), "Qwen/Qwen2.5-VL-3B-Instruct"),
)


_ORIGIN = re.compile(r"https?://(\*\.)?[A-Za-z0-9.-]+(:[0-9]{1,5})?")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the page runs.

    Args:
        model: A hub name or a local folder; None chooses by the machine.
        host: The address to listen on.
        port: The port to listen on.
        max_new_tokens: The longest answer that a visitor can ask for, in tokens.
        max_question_tokens: The longest question, in tokens.
        queue_size: How many questions may wait; more are turned away.
        keep: The folder of comparisons that have an address; None for one among temporary files.
        gallery: The folder of the gallery; None for no gallery.
        study: The folder of a study to serve in place of the comparison.
        results: The folder of runs of `sinktrack eval` to show in place of the comparison.
        invite: The code that its annotators sign in with; None makes one.
        coordinator: The code that opens its results; None makes one.
        database: Where its votes go, as a URL; None for a file in the study's folder.
        dataset: "owner/name" on the Hugging Face Hub that votes are copied to; None for none.
        frame_ancestors: Origins that may show the page inside their own, besides Hugging Face.
        log_json: Whether each line of the log is a JSON object.
        hub_sign_in: Whether annotators sign in with Hugging Face, and not with a code.
        mcp: Whether models can call the page that compares as tools.
        private: Whether the page that compares keeps nothing of its visitors.
    """

    model: str | None = None
    host: str = "127.0.0.1"
    port: int = 7860
    max_new_tokens: int = 512
    max_question_tokens: int = 2000
    queue_size: int = 32
    keep: str | None = None
    gallery: str | None = None
    study: str | None = None
    results: str | None = None
    invite: str | None = None
    coordinator: str | None = None
    database: str | None = None
    dataset: str | None = None
    frame_ancestors: tuple[str, ...] = ()
    log_json: bool = False
    hub_sign_in: bool = False
    mcp: bool = False
    private: bool = False

    @classmethod
    def read(cls, arguments: Sequence[str], environment: Mapping[str, str]) -> "Settings":
        """Return the settings; an argument wins over the environment.

        Args:
            arguments: The command line without the program's name.
            environment: Usually os.environ.

        Returns:
            The settings.

        Raises:
            SystemExit: With status 2 and one sentence on stderr if a value cannot be used.
        """
        parser = argparse.ArgumentParser(
            prog="app.py", description="SinkTrack beside the plain model, as a page in the browser."
        )

        def option(name: str, variable: str, default: str | None, kind: type, about: str) -> None:
            value = environment.get(variable) or default
            check = _count if kind is int else str
            parser.add_argument(
                name, default=value, type=check, help=f"{about} Also {variable}. (%(default)s)"
            )

        option("--model", "SINKTRACK_MODEL", None, str, "Hub name or folder.")
        # A Space is reached from outside its container, any other machine only from itself.
        host = "0.0.0.0" if environment.get("SPACE_ID") else cls.host
        option("--host", "GRADIO_SERVER_NAME", host, str, "Address to listen on.")
        option("--port", "GRADIO_SERVER_PORT", str(cls.port), int, "Port to listen on.")
        for name, about in (
            ("max_new_tokens", "Longest answer, in tokens."),
            ("max_question_tokens", "Longest question, in tokens."),
            ("queue_size", "How many questions may wait."),
        ):
            flag, variable = "--" + name.replace("_", "-"), "SINKTRACK_" + name.upper()
            option(flag, variable, str(getattr(cls, name)), int, about)
        about = "Folder of comparisons that have an address."
        option("--keep", "SINKTRACK_KEEP", None, str, about)
        parser.add_argument(
            "--gallery",
            nargs="?",
            const=DEFAULT_GALLERY,
            default=environment.get("SINKTRACK_GALLERY") or None,
            metavar="FOLDER",
            help="Let visitors keep comparisons for others to see, in this folder. Also "
            f"SINKTRACK_GALLERY. (off; without a folder {DEFAULT_GALLERY})",
        )
        option("--study", "SINKTRACK_STUDY", None, str, "Folder of a study to serve.")
        about = "Folder of what sinktrack eval wrote, or of several such, to look through."
        option("--results", "SINKTRACK_RESULTS", None, str, about)
        for name, about in (
            ("mcp", "Let models ask as well: the endpoints become tools of an MCP server."),
            ("private", "Keep nothing of visitors: no links, no files, no line about a question."),
        ):
            variable = "SINKTRACK_" + name.upper()
            parser.add_argument(
                "--" + name,
                action="store_true",
                default=_on(parser, environment, variable),
                help=f"{about} Also {variable}=1. (off)",
            )
        given = parser.parse_args(arguments)
        _choose_page(parser, given)
        _check_private(parser, given)
        if given.mcp and find_spec("mcp") is None:
            parser.exit(
                2,
                "app.py: --mcp needs the package mcp, which is not installed: run pip install "
                "'mcp>=1.30,<2'.\n",
            )
        try:
            if environment.get(DATA):
                check_usable(environment[DATA], "What the page writes")
            if given.results is not None:
                find_runs(given.results)
            elif given.study is not None:
                check_study_folder(given.study)
            elif given.model is not None:
                find_checkpoint(given.model)
        except SinkTrackError as error:
            parser.exit(2, f"app.py: {error}\n")
        invite = environment.get("SINKTRACK_INVITE") or None
        # secrets come from the environment alone, where a list of processes does not show them
        return cls(
            **vars(given),
            invite=invite,
            coordinator=environment.get("SINKTRACK_COORDINATOR") or None,
            database=environment.get("DATABASE_URL") or None,
            dataset=environment.get("SINKTRACK_DATASET") or None,
            frame_ancestors=_ancestors(parser, environment),
            log_json=_as_json(parser, environment),
            # what a Space has whose card says `hf_oauth: true`
            hub_sign_in=invite is None and {"SPACE_ID", "OAUTH_CLIENT_ID"} <= environment.keys(),
        )


def _choose_page(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Settle whether a study or results are shown, and refuse options that mean nothing then."""
    typed = [name for name, value in vars(given).items() if value != parser.get_default(name)]
    if given.study is not None and given.results is not None:
        if "study" in typed and "results" not in typed:
            given.results = None
        elif "results" in typed and "study" not in typed:
            given.study = None
        else:
            parser.exit(2, "app.py: --study and --results are two pages: give one of them.\n")
    if given.study is not None or given.results is not None:
        if "mcp" in typed:
            parser.exit(2, "app.py: --mcp offers the page that compares: leave it out here.\n")
        given.mcp = False
    for name in ("model", "keep", "gallery"):
        if given.results is not None and name in typed:
            parser.exit(
                2, f"app.py: --results loads no model and keeps nothing: leave --{name} out.\n"
            )


def _check_private(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Refuse what is kept by intention where nothing is to be kept."""
    if not given.private:
        return
    if given.study is not None or given.results is not None:
        page = "--study keeps votes" if given.study is not None else "--results shows what is kept"
        parser.exit(2, f"app.py: --private keeps nothing, and {page}: leave one of them out.\n")
    if given.gallery is not None:
        parser.exit(
            2,
            "app.py: --private keeps nothing, and a gallery keeps comparisons: leave out --private "
            "or --gallery (SINKTRACK_GALLERY).\n",
        )
    if given.keep != parser.get_default("keep"):
        parser.exit(2, "app.py: --private keeps no comparisons: leave --keep out.\n")
    given.keep = None  # where the data folder would have them


def _on(parser: argparse.ArgumentParser, environment: Mapping[str, str], variable: str) -> bool:
    """Return whether a variable switches something on, or refuse what says neither."""
    said = environment.get(variable) or "0"
    if said not in ("0", "1"):
        parser.exit(2, f"app.py: {variable} is {said!r}: set it to 1 or to 0.\n")
    return said == "1"


def _ancestors(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the origins that may show the page inside their own, or refuse what is none."""
    said = environment.get("SINKTRACK_FRAME_ANCESTORS", "").split()
    for each in said:
        if _ORIGIN.fullmatch(each) is None:
            parser.exit(
                2,
                f"app.py: SINKTRACK_FRAME_ANCESTORS has {each!r}, which is no origin: write "
                "origins like https://example.org or https://*.example.org, with spaces between.\n",
            )
    return tuple(said)


def _as_json(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> bool:
    """Return whether the log is JSON, or refuse a form that there is not."""
    said = environment.get("SINKTRACK_LOG") or "text"
    if said not in ("text", "json"):
        parser.exit(2, f"app.py: SINKTRACK_LOG is {said!r}: set it to json or to text.\n")
    return said == "json"


def _count(text: str) -> int:
    """Return a whole number of 1 to 65535, or let argparse say that it is none."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 65535")
    return int(text)


def choose_model(gpu_bytes: int | None) -> str:
    """Return the model that suits a machine.

    Args:
        gpu_bytes: Memory of the CUDA GPU; None without one.

    Returns:
        A hub name, or the folder of the bundled checkpoint.
    """
    for needed, name in _BY_MEMORY:
        if gpu_bytes is not None and gpu_bytes >= needed:
            return name
    return str(BUNDLED)
