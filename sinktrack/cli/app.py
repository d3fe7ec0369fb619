"""The program: its commands, its exit status and its one line for whatever went wrong."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from sinktrack.cli.ask import ask
from sinktrack.cli.bench import bench
from sinktrack.cli.evaluate import evaluate
from sinktrack.cli.methods import methods
from sinktrack.cli.score import score
from sinktrack.cli.study import study
from sinktrack.core.errors import SinkTrackError, reason
from sinktrack.machine import nowhere, tolerate_any_text
from sinktrack.terminal import harmless
from sinktrack.version import VERSION

# Typer gives this class no name of its own.
_USAGE_ERROR: Any = typer.BadParameter.__base__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after `sinktrack`; by default those of the process.

    Returns:
        0; 2 after bad input; 130 after Ctrl-C; else what the command says.
    """
    tolerate_any_text()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _run(words or ["--help"])
        sys.stdout.flush()
    except typer.Exit as told:
        return told.exit_code
    except _USAGE_ERROR as error:
        # Versions of typer that check with pydantic begin with its words.
        said = error.format_message().replace("Value error, ", "")
        _complain(f"{said.rstrip('.')}. See {_command_path(error)} --help.")
    except SinkTrackError as error:
        _complain(str(error))
    except BrokenPipeError:  # who read the output has read enough
        sys.stdout = nowhere()
        return 0
    except OSError as error:  # a full disk behind the output, a name that cannot be
        _complain(reason(error))
    except KeyboardInterrupt:
        return 130
    else:
        return 0
    return 2


def program() -> typer.Typer:
    """Return the program with all its commands."""
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(epilog=_examples('sinktrack ask cat.jpg "How many cats are there?"'))(_about)
    app.command(
        epilog=_examples(
            'sinktrack ask cat.jpg "How many cats are there?" --report out.html',
            'sinktrack ask "Who was Rollo?" --passage text.txt --method baseline --method cad',
            'sinktrack ask cat.jpg "What is it?" --method vcd:alpha=1 --method mild=vcd:alpha=0.2',
            "sinktrack ask --messages conversation.json --model Qwen/Qwen2.5-VL-3B-Instruct",
            "sinktrack ask --replay sinktrack-comparison.json",
        )
    )(ask)
    app.command(
        "eval",
        epilog=_examples(
            "sinktrack eval shapes --limit 200 --out runs/shapes",
            "sinktrack eval shapes --method baseline --method pai:alpha=0.5 --out runs/pai",
            "sinktrack eval shapes-pope --method all --temperature 1 --seeds 3 --out runs/all",
            "sinktrack eval pope --model Qwen/Qwen2.5-VL-3B-Instruct --out runs/pope",
            "sinktrack eval squad --data dev-v2.0.json --limit 600 --out runs/squad",
        ),
    )(evaluate)
    app.command(
        epilog=_examples(
            "sinktrack score runs/shapes/records.jsonl",
            'sinktrack score plain_1.jsonl new_1.jsonl --pattern "{method}_{seed}.jsonl"',
            "sinktrack score pope.xlsx --cluster image --json pope.json --figure pope.png",
            "sinktrack score dialogues.jsonl --gold-file val_v0.2.json --rule rules:mine",
        )
    )(score)
    app.add_typer(study(_examples), name="study")
    app.command(epilog=_examples("sinktrack methods", "sinktrack methods --json"))(methods)
    app.command(epilog=_examples("sinktrack bench --rounds 5 --device cpu"))(bench)
    return app


def _run(words: list[str]) -> None:
    command = typer.main.get_command(program())
    # Not `command(...)`, which would answer a closed pipe and Ctrl-C in its own way.
    with command.make_context("sinktrack", words) as context:
        command.invoke(context)


def _version(wanted: bool) -> None:
    if wanted:
        print(VERSION)
        raise typer.Exit


def _about(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Answer questions with several methods at once: the plain model beside SinkTrack and others.

    `sinktrack COMMAND --help` tells more of each command.
    """


def _examples(*lines: str) -> str:
    """Return the end of a command's help."""
    return "\n\n".join(["Examples:" if len(lines) > 1 else "Example:", *lines])


def _command_path(error: Any) -> str:
    context = getattr(error, "ctx", None)
    return "sinktrack" if context is None else str(context.command_path)


def _complain(said: str) -> None:
    """Print one line, whatever a name in it holds."""
    print(f"sinktrack: {harmless(' '.join(said.split()))}", file=sys.stderr)
