"""Start a harness's own command with the model of this package known to it.

python -m sinktrack.harnesses lm_eval --model sinktrack ...
python -m sinktrack.harnesses vlmevalkit run.py --config ...

lmms-eval finds the model by itself.
"""

import sys
from pathlib import Path

from sinktrack.core.errors import SinkTrackError

_USAGE = (
    "Write python -m sinktrack.harnesses lm_eval, or vlmevalkit and the path of its run.py, and "
    "then the harness's own options."
)


def main(words: list[str]) -> int:
    """Run a harness.

    Args:
        words: Its name, and the words of its own command line.

    Returns:
        The exit status, 2 for what cannot be run.
    """
    name = words[0] if words else ""
    try:
        if name == "lm_eval":
            from sinktrack.harnesses.lm_eval import run

            run(words[1:])
        elif name == "vlmevalkit" and Path(*words[1:2]).is_file():
            # It is a checkout mostly, whose package stands beside its program.
            sys.path.insert(0, str(Path(words[1]).parent.absolute()))
            from sinktrack.harnesses.vlmevalkit import run as run_vlmevalkit

            run_vlmevalkit(words[1], words[2:])
        else:
            print(f"sinktrack: {_USAGE}", file=sys.stderr)
            return 2
    except SinkTrackError as error:
        print(f"sinktrack: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
