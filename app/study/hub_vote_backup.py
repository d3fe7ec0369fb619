"""Copies votes to a dataset on the Hugging Face Hub: a Space's own disk is empty after a restart.

Each start of the page writes a file of its own. It begins with all votes there are; then every
change appends one line with the vote as it stands. Knows nothing about databases and pages.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import CommitScheduler, HfApi

from sinktrack.core.errors import StoreError, reason
from sinktrack.core.files import json_lines, read_text


class HubVoteBackup:
    """A folder of votes, uploaded to a dataset every few minutes and when the page ends.

    Args:
        folder: Where the files are until they are uploaded.
        dataset: "owner/name" on the hub; made, private, if it is not there.
        study: The study's name, which is the folder in the dataset.
        hub: Reads and writes the dataset.
        minutes: From one upload to the next.

    Raises:
        StoreError: If the dataset cannot be reached, made or read.
    """

    def __init__(
        self,
        folder: Path,
        dataset: str,
        study: str,
        *,
        hub: HfApi | None = None,
        minutes: float = 5,
    ) -> None:
        self._file = folder / f"{uuid.uuid4().hex}.jsonl"
        hub = hub or HfApi()
        with _said(dataset):
            self._scheduler = CommitScheduler(
                repo_id=dataset,
                repo_type="dataset",
                private=True,
                folder_path=folder,
                path_in_repo=study,
                every=minutes,
                hf_api=hub,
            )
            copy = hub.snapshot_download(
                dataset, repo_type="dataset", allow_patterns=f"{study}/*.jsonl"
            )
        self.votes = merged(sorted(Path(copy, study).glob("*.jsonl")))
        """Every vote that the dataset held at the start, as it stood after its last change."""

    def write(self, vote: Mapping[str, Any]) -> None:
        """Append a vote as it stands now."""
        with self._scheduler.lock, self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(vote)) + "\n")

    def close(self) -> None:
        """Upload what is not uploaded yet, and no more after it."""
        self._scheduler.trigger().result()
        self._scheduler.stop()


def merged(files: Iterable[Path]) -> list[dict[str, Any]]:
    """Return each vote once, as it stood after its latest change; oldest first."""
    latest: dict[str, dict[str, Any]] = {}
    for file in files:
        for line in filter(None, json_lines(read_text(file))):
            vote = json.loads(line)
            if vote["key"] not in latest or _changed(vote) >= _changed(latest[vote["key"]]):
                latest[vote["key"]] = vote
    return sorted(latest.values(), key=lambda vote: (vote["cast"], vote["key"]))


def _changed(vote: Mapping[str, Any]) -> float:
    return float(max(vote["cast"], vote["revealed"] or 0, vote["undone"] or 0))


@contextmanager
def _said(dataset: str) -> Iterator[None]:
    """Turn an error of the hub into a sentence that says why a dataset cannot be used."""
    try:
        yield
    except Exception as error:  # which errors the hub's client raises changes with its releases
        raise StoreError(
            f"Votes cannot be kept in the dataset {dataset} ({reason(error)}): check "
            "SINKTRACK_DATASET, and that the secret HF_TOKEN may write there."
        ) from error
