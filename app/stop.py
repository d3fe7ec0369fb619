"""How an answer is told to end. Knows nothing about models."""

import os
import tempfile
from pathlib import Path


class StopFlag:
    """Tells an answer to end.

    It is a file, and down while the file exists, so that it also reaches the forked process in
    which a ZeroGPU Space answers.
    """

    def __init__(self) -> None:
        handle, path = tempfile.mkstemp(prefix="sinktrack-answering-")
        os.close(handle)
        self._path = Path(path)

    def set(self) -> None:
        """Raise the flag, for good."""
        self._path.unlink(missing_ok=True)

    def is_set(self) -> bool:
        """Tell whether it was raised."""
        return not self._path.exists()
