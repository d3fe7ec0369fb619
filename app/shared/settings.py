"""What can be set from the command line and the environment, and which model a machine gets.

Knows nothing about torch or gradio.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from app.shared.forwarded import TRUSTED, what_is_no_address
from app.shared.limits import Limits
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


SHORTEST_CODE = 12
"""Characters of the owner's code at least."""
_ORIGIN = re.compile(r"https?://(\*\.)?[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_ROOT = re.compile(r"(https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?)?(/[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the page runs.

    Args:
        model: A hub name or a local folder; None chooses by the machine.
        host: The address to listen on.
        port: The port to listen on.
        root_path: Where a proxy shows the page: a path such as "/sinktrack", or a whole address.
        max_new_tokens: The longest answer that a visitor can ask for, in tokens.
        max_question_tokens: The longest question, in tokens.
        queue_size: How many questions may wait; more are turned away.
        answer_seconds: After so many an answer, a survey or a question about a word is ended; 0
            for no end.
        questions_a_minute: How many one address may ask; 0 for any number, None for the usual one.
        model_seconds_an_hour: For how long the model works for one address; as above.
        uploads_a_minute: How many files one address may send; as above.
        metrics: Whether what is measured stands at /metrics.
        owner: The code that opens the owner's page; None for no such page.
        keep: The folder of comparisons that have an address; None for one among temporary files.
        gallery: The folder of the gallery; None for no gallery.
        study: The folder of a study to serve in place of the comparison.
        results: The folder of runs of `sinktrack eval` to show in place of the comparison.
        invite: The code that its annotators sign in with; None makes one.
        coordinator: The code that opens its results; None makes one.
        database: Where its votes go, as a URL; None for a file in the study's folder.
        dataset: "owner/name" on the Hugging Face Hub that votes are copied to; None for none.
        frame_ancestors: Origins that may show the page inside their own, besides Hugging Face.
        trusted_proxies: Addresses and networks of proxies that are believed, with commas between.
        behind_platform: Whether only a Space's own proxies reach the server.
        log_json: Whether each line of the log is a JSON object.
        hub_sign_in: Whether annotators sign in with Hugging Face, and not with a code.
        mcp: Whether models can call the page that compares as tools.
        private: Whether the page that compares keeps nothing of its visitors.
    """

    model: str | None = None
    host: str = "127.0.0.1"
    port: int = 7860
    root_path: str = ""
    max_new_tokens: int = 512
    max_question_tokens: int = 2000
    queue_size: int = 32
    answer_seconds: int = 300
    questions_a_minute: int | None = None
    model_seconds_an_hour: int | None = None
    uploads_a_minute: int | None = None
    metrics: bool = False
    owner: str | None = None
    keep: str | None = None
    gallery: str | None = None
    study: str | None = None
    results: str | None = None
    invite: str | None = None
    coordinator: str | None = None
    database: str | None = None
    dataset: str | None = None
    frame_ancestors: tuple[str, ...] = ()
    trusted_proxies: str = ""
    behind_platform: bool = False
    log_json: bool = False
    hub_sign_in: bool = False
    mcp: bool = False
    private: bool = False

    def limits(self) -> Limits:
        """Return the limits of one address, where nobody has met one yet."""
        return Limits(self.questions_a_minute, self.model_seconds_an_hour, self.uploads_a_minute)

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
        about = "Path or address where a proxy shows the page."
        option("--root-path", "GRADIO_ROOT_PATH", "", str, about)
        for name, about in (
            ("max_new_tokens", "Longest answer, in tokens."),
            ("max_question_tokens", "Longest question, in tokens."),
            ("queue_size", "How many questions may wait."),
        ):
            flag, variable = "--" + name.replace("_", "-"), "SINKTRACK_" + name.upper()
            option(flag, variable, str(getattr(cls, name)), int, about)
        for name, about in (
            ("answer_seconds", "Longest time for one request, in seconds; 0 for no end."),
            ("questions_a_minute", "Questions that one address may ask; 0 for any number."),
            ("model_seconds_an_hour", "Seconds that the model works for one address; 0: any."),
            ("uploads_a_minute", "Files that one address may send; 0 for any number."),
        ):
            variable, usual = "SINKTRACK_" + name.upper(), getattr(cls, name)
            without = "see docs/hosting.md" if usual is None else usual
            parser.add_argument(
                "--" + name.replace("_", "-"),
                default=environment.get(variable) or usual,
                type=_amount,
                help=f"{about} Also {variable}. ({without})",
            )
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
        given.root_path = _root(parser, given.root_path)
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
            trusted_proxies=_proxies(parser, environment),
            behind_platform="SPACE_ID" in environment,
            log_json=_as_json(parser, environment),
            metrics=_metrics(parser, environment),
            owner=_owner(parser, environment),
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


def _root(parser: argparse.ArgumentParser, said: str) -> str:
    """Return where a proxy shows the page, or refuse what is neither a path nor an address."""
    root = said.rstrip("/")
    if _ROOT.fullmatch(root) is None:
        parser.exit(
            2,
            f"app.py: the root path {said!r} is none: write a path like /sinktrack, or an address "
            "like https://example.org/sinktrack.\n",
        )
    return root


def _proxies(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> str:
    """Return the proxies that are believed, or refuse what is no address."""
    said = environment.get(TRUSTED, "")
    wrong = what_is_no_address(said)
    if wrong is not None:
        parser.exit(
            2,
            f"app.py: {TRUSTED} has {wrong!r}, which is no address: write addresses or networks "
            "like 127.0.0.1 or 172.18.0.0/16, with commas between, or * for all.\n",
        )
    return said


def _as_json(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> bool:
    """Return whether the log is JSON, or refuse a form that there is not."""
    said = environment.get("SINKTRACK_LOG") or "text"
    if said not in ("text", "json"):
        parser.exit(2, f"app.py: SINKTRACK_LOG is {said!r}: set it to json or to text.\n")
    return said == "json"


def _metrics(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> bool:
    """Return whether what is measured is told, or refuse a word that says neither."""
    said = environment.get("SINKTRACK_METRICS") or "0"
    if said not in ("0", "1"):
        parser.exit(2, f"app.py: SINKTRACK_METRICS is {said!r}: set it to 1, or leave it out.\n")
    return said == "1"


def _owner(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> str | None:
    """Return the owner's code, or refuse one that is soon guessed."""
    said = environment.get("SINKTRACK_OWNER") or None
    if said is not None and len(said) < SHORTEST_CODE:
        parser.exit(
            2, f"app.py: SINKTRACK_OWNER is short: give it {SHORTEST_CODE} characters or more.\n"
        )
    return said


def _amount(text: str) -> int:
    """Return a whole number of 0 to 65535, or let argparse say that it is none."""
    return 0 if text == "0" else _count(text)


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
