"""Copies votes to a dataset on the Hugging Face Hub: a Space's own disk is empty after a restart.

Each start of the page writes a file of its own. It begins with all votes there are; then every
change appends one line with the vote as it stands. Knows nothing about databases and pages.
"""

import json
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitScheduler, HfApi

from app.study.withdrawal import KIND, digest_of
from sinktrack.core.errors import StoreError, reason
from sinktrack.core.files import json_lines, read_text, whole_file


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
        self._hub, self._dataset, self._study = hub or HfApi(), dataset, study
        with _said(dataset):
            self._scheduler = CommitScheduler(
                repo_id=dataset,
                repo_type="dataset",
                private=True,
                folder_path=folder,
                path_in_repo=study,
                every=minutes,
                hf_api=self._hub,
            )
            files = self._download()
        self.votes = merged(files)
        """Every vote that the dataset held at the start, as it stood after its last change."""
        withdrawn = [row for row in self.votes if row.get("kind") == KIND]
        for row in withdrawn:  # files of earlier starts may be deleted
            self._append(row)
        if withdrawn:
            with _said(dataset):
                self._forget({each for row in withdrawn for each in row["gone"]})

    def _download(self) -> list[Path]:
        """Return the files of the dataset."""
        copy = self._hub.snapshot_download(
            self._dataset, repo_type="dataset", allow_patterns=f"{self._study}/*.jsonl"
        )
        return sorted(Path(copy, self._study).glob("*.jsonl"))

    def write(self, vote: Mapping[str, Any]) -> None:
        """Append a vote, or a row beside them, as it stands now.

        Votes that were deleted go at once.

        Raises:
            StoreError: If the dataset could not be told that votes were deleted.
        """
        self._append(vote)
        if vote.get("kind") == KIND:
            try:
                self._forget(frozenset(vote["gone"]))
                self._scheduler.trigger().result()
            except Exception as error:  # as in _said
                raise StoreError(
                    f"The votes are deleted here. The dataset {self._dataset} holds them still "
                    f"({reason(error)}): it is told of it within minutes, when it can be reached, "
                    "and they will not come back. Do not stop the page before."
                ) from error

    def _append(self, row: Mapping[str, Any]) -> None:
        with self._scheduler.lock, self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(row)) + "\n")

    def _forget(self, gone: Collection[str]) -> None:
        """Take deleted rows out of all files, here and in the dataset; its history keeps them."""
        # in the background the client does one thing at a time: no upload reads a file meanwhile
        self._hub.run_as_future(self._rewrite, gone).result()

    def _rewrite(self, gone: Collection[str]) -> None:
        here = list(self._file.parent.glob("*.jsonl"))
        with self._scheduler.lock:
            for file in here:
                lines = _without(gone, file)
                if lines is not None:
                    with whole_file(file, "The copy of the votes") as part:
                        part.write_text(lines, "utf-8")
        names = {file.name for file in here}
        others = {
            file.name: _without(gone, file) for file in self._download() if file.name not in names
        }
        changed = [
            CommitOperationAdd(f"{self._study}/{name}", lines.encode())
            for name, lines in others.items()
            if lines is not None
        ]
        if changed:
            told = "Delete votes at a person's request"
            self._hub.create_commit(
                self._dataset, changed, repo_type="dataset", commit_message=told
            )

    def close(self) -> None:
        """Upload what is not uploaded yet, and no more after it."""
        self._scheduler.trigger().result()
        self._scheduler.stop()


def merged(files: Iterable[Path]) -> list[dict[str, Any]]:
    """Return each row once, as it stood after its latest change; oldest first."""
    latest: dict[str, dict[str, Any]] = {}
    for file in files:
        for line in filter(None, json_lines(read_text(file))):
            vote = json.loads(line)
            if vote["key"] not in latest or _changed(vote) >= _changed(latest[vote["key"]]):
                latest[vote["key"]] = vote
    return sorted(latest.values(), key=lambda vote: (vote["cast"], vote["key"]))


def _changed(vote: Mapping[str, Any]) -> float:
    return float(max(vote["cast"], vote.get("revealed") or 0, vote["undone"] or 0))


def _without(gone: Collection[str], file: Path) -> str | None:
    """Return the lines of a file without deleted rows; None if it has none of them."""
    lines = [line for line in json_lines(read_text(file)) if line]
    kept = [line for line in lines if digest_of(json.loads(line)["key"]) not in gone]
    return "".join(f"{line}\n" for line in kept) if len(kept) < len(lines) else None


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
