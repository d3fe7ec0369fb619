"""Reads public data sets with the `datasets` library: from the hub, or from a copy of one.

Knows rows and columns, and neither tasks nor models.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from sinktrack.core.errors import DataError, reason
from sinktrack.core.files import file_inside, read_text
from sinktrack.core.images import load_picture
from sinktrack.core.names import exists

PARQUET = "refs/convert/parquet"
"""The branch where the hub keeps sets as Parquet that their authors published as a program, which
`datasets` runs no more. Each configuration is a folder there."""

Rows = Sequence[Mapping[str, Any]]
"""Values by column. A picture is a function that reads it, or None where a row has none."""

_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True)
class HubData:
    """A data set on the hub.

    Args:
        name: "owner/name".
        splits: A run's split ("validation" or "test") to the set's own ones, which are read one
            after the other.
        columns: Those that every row must have.
        config: Its configuration; None for the only one.
        revision: A branch, a tag or a commit.
        own_file: Reads the rows of the file that the set's authors publish; None where they publish
            none that is of use.
    """

    name: str
    splits: Mapping[str, tuple[str, ...]]
    columns: tuple[str, ...]
    config: str | None = None
    revision: str = "main"
    own_file: Callable[[str], Rows] | None = None

    def rows(self, place: str | None, revision: str | None, split: str) -> "Loaded":
        """Return a split's rows; the same call again reads nothing again.

        Args:
            place: A folder in the hub's layout, the authors' own file, or the name of another set
                of this form; None for the set itself.
            revision: None for the set's own.
            split: Of the run.

        Raises:
            DataError: If `datasets` is missing, or there are no such rows.
        """
        own = self._splits(split)
        if place is not None and self.own_file is not None and is_file(place):
            rows = self.own_file(place)
            loaded = Loaded(rows, tuple(rows[0]) if rows else ())
        else:
            loaded = _load(place or self.name, self.config, self._revision(place, revision), own)
        missing = [each for each in self.columns if each not in loaded.columns]
        if missing:
            raise DataError(
                f"{place or self.name} has no column {missing[0]!r}, but "
                f"{', '.join(loaded.columns) or 'none'}: is it {self.name} or of its form?"
            )
        return loaded

    def about(self, place: str | None, revision: str | None, split: str) -> dict[str, Any]:
        """Return what a run's settings keep of where rows are from.

        Raises:
            DataError: As `rows`.
        """
        told: dict[str, Any] = {
            "data": place or self.name,
            "revision": self._revision(place, revision),
            "commit": self.rows(place, revision, split).commit,
            "split": None
            if place is not None and is_file(place)
            else "+".join(self._splits(split)),
        }
        return told | ({} if self.config is None else {"configuration": self.config})

    def _splits(self, split: str) -> tuple[str, ...]:
        if split not in self.splits:
            raise DataError(
                f"{self.name} has no split to choose by: measure with --split "
                f"{next(iter(self.splits))}."
            )
        return self.splits[split]

    def _revision(self, place: str | None, revision: str | None) -> str | None:
        """Return the revision to ask the hub for; of a folder what a person says that it is."""
        if place is None:
            return revision or self.revision
        return revision


@dataclass(frozen=True)
class Loaded:
    """Rows, and where they are from.

    Args:
        rows: The rows.
        columns: Their names.
        commit: Which the hub gave; None for a folder.
    """

    rows: Rows
    columns: tuple[str, ...]
    commit: str | None = field(default=None)


def is_file(place: str) -> bool:
    """Tell whether a place is a file."""
    return exists(place) and Path(place).is_file()


def spread(values: Sequence[_Value], limit: int) -> Iterator[_Value]:
    """Yield that many values at most, evenly from the first to the last.

    Rows of a file often stand by kind, so the first ones alone would be of one kind.
    """
    count = min(limit, len(values))
    for number in range(count):
        yield values[number * len(values) // count]


def text_in(path: str) -> str:
    """Return the text of a file.

    Raises:
        DataError: If there is no such file, or it holds no text.
    """
    if not is_file(path):
        raise DataError(f"There is no file {path[:200]}: check the path.")
    try:
        return read_text(path)
    except UnicodeDecodeError as error:
        raise DataError(f"{path[:200]} is no text in UTF-8: {error}.") from error


def cluster_of(text: str) -> str:
    """Return a short name of a text that several items share."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def picture_in(folder: Path, name: str) -> Callable[[], Image.Image]:
    """Return a function that reads a picture of a folder.

    Args:
        folder: Where pictures are.
        name: The picture's path inside it.

    Raises:
        DataError: If there is no such file.
    """
    path = file_inside(folder, name)
    if path is None:
        raise DataError(f"There is no picture {name} in {folder}: check the path.")
    return partial(_read, path)


def _read(source: Path | bytes) -> Image.Image:
    return load_picture(source).image


@lru_cache(maxsize=4)
def _load(place: str, config: str | None, revision: str | None, splits: tuple[str, ...]) -> Loaded:
    """Read splits of a set.

    Raises:
        DataError: If they cannot be read.
    """
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            "Public data sets are read with datasets, which is not installed: pip install datasets."
        ) from error
    folder = Path(place) if exists(place) and Path(place).is_dir() else None
    try:
        builder = datasets.load_dataset_builder(**_asked(place, folder, config, revision))
        unknown = [
            each for each in splits if builder.info.splits and each not in builder.info.splits
        ]
        if not unknown:
            builder.download_and_prepare()
            parts = [builder.as_dataset(split=each) for each in splits]
    except Exception as error:  # each file format and the hub have errors of their own
        raise DataError(_refusal(place, folder, error)) from error
    if unknown:
        raise DataError(
            f"{place} has no split {unknown[0]!r}, but {', '.join(builder.info.splits)}."
        )
    rows = [row for part in parts for row in _rows(datasets, part, folder)]
    if not rows:
        raise DataError(f"{place} has no rows in {' and '.join(splits)}.")
    columns = tuple(parts[0].column_names)
    return Loaded(rows, columns, None if folder is not None else builder.hash)


def _asked(
    place: str, folder: Path | None, config: str | None, revision: str | None
) -> dict[str, Any]:
    """Return what `datasets` is asked for."""
    if folder is None:
        if revision == PARQUET and config is not None:
            return {"path": place, "data_dir": config, "revision": revision}
        return {"path": place, "name": config, "revision": revision}
    if config is not None:
        # as data sets are packed that have a file for each configuration
        for inside in (f"{config}.jsonl", f"data/{config}.jsonl"):
            path = file_inside(folder, inside)
            if path is not None:
                return {"path": "json", "data_files": {"test": str(path)}}
    return {"path": str(folder.resolve()), "name": config}


def _refusal(place: str, folder: Path | None, error: Exception) -> str:
    said = reason(error).rstrip(".")
    if folder is not None:
        return f"{place} cannot be read as a data set of the hub: {said}."
    return (
        f"There is no folder {place}, and the hub gives no data set of this name: {said}. Give a "
        "copy of it with --data, or another --revision."
    )


def _rows(datasets: Any, part: Any, folder: Path | None) -> Iterator[dict[str, Any]]:
    """Yield rows whose pictures are read when they are needed."""
    pictures = [name for name, kind in part.features.items() if isinstance(kind, datasets.Image)]
    for name in pictures:
        part = part.cast_column(name, datasets.Image(decode=False))
    there = {name: part.data.column(name).is_valid().to_pylist() for name in pictures}
    for number, row in enumerate(part.remove_columns(pictures)):
        for name in pictures:
            row[name] = partial(_picture, part, number, name) if there[name][number] else None
        if folder is not None and isinstance(row.get("image"), str):
            row["image"] = picture_in(folder, row["image"])
        yield row


def _picture(part: Any, number: int, name: str) -> Image.Image:
    """Read one picture: its bytes, or the file that the row names."""
    value = part[number][name]
    return _read(value["bytes"] if value["bytes"] is not None else Path(value["path"]))
