"""Reads files of answers as rows of named values: JSON Lines, JSON, CSV, TSV and xlsx, also packed.

Knows formats alone. What the values mean is for `sinktrack.eval.predictions`.
"""

import csv
import gzip
import hashlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinktrack.core.errors import AnswersError, reason, shown
from sinktrack.core.files import decoded, json_lines, parsed_json
from sinktrack.core.names import exists

MOST_BYTES = 2_000_000_000
"""Of one file, unpacked."""

FORMATS = ".jsonl, .json, .csv, .tsv or .xlsx, each also with .xz or .gz behind it"


@dataclass(frozen=True)
class Row:
    """One answer as it stands in a file.

    Args:
        file: The path, as it was given.
        line: Counted from 1; in a list of JSON values the place in it.
        values: By name.
    """

    file: str
    line: int
    values: Mapping[str, Any]

    @property
    def place(self) -> str:
        """The file and the line, for messages."""
        return f"{self.file}, line {self.line}"


@dataclass(frozen=True)
class AnswerFile:
    """What one file holds.

    Args:
        path: As it was given.
        rows: In the file's order; none where the file is empty.
        digest: Of the unpacked bytes: files with the same one are equal byte for byte.
    """

    path: str
    rows: tuple[Row, ...]
    digest: str


def read_answer_file(path: str) -> AnswerFile:
    """Read a file of rows.

    Args:
        path: Its name, whose end tells the format.

    Raises:
        AnswersError: If it cannot be read, or is not of the format; says the line.
    """
    name, data = unpacked(path)
    digest = hashlib.sha256(data).hexdigest()
    if not data.strip(b"\xef\xbb\xbf \r\n\t"):
        return AnswerFile(path, (), digest)
    if name.endswith(".xlsx"):
        rows = _spreadsheet(path, data)
    elif name.endswith((".csv", ".tsv")):
        rows = _table(path, _text(path, data), "\t" if name.endswith(".tsv") else ",")
    else:
        rows = json_rows(path, _text(path, data), lines_only=name.endswith(".jsonl"))
    return AnswerFile(path, tuple(rows), digest)


def read_json(path: str) -> Any:
    """Return the one JSON value of a file, packed or not; None if it holds several lines of them.

    Raises:
        AnswersError: If it cannot be read.
    """
    _, data = unpacked(path)
    try:
        return parsed_json(_text(path, data))
    except (ValueError, RecursionError):
        return None


def unpacked(path: str) -> tuple[str, bytes]:
    """Return the name that tells a file's format, in lower case, and the unpacked bytes.

    Raises:
        AnswersError: If there is no such file, or it is packed badly or too large.
    """
    if not exists(path) or not Path(path).is_file():  # a pipe or device may never end
        raise AnswersError(f"There is no file {path[:200]}: check the path.")
    name = Path(path).name.lower()
    opened: Any = open
    for ending, unpack in ((".xz", lzma.open), (".gz", gzip.open)):
        if name.endswith(ending):
            name, opened = name.removesuffix(ending), unpack
    if not name.endswith((".jsonl", ".json", ".csv", ".tsv", ".xlsx")):
        raise AnswersError(f"{path} is of no known format: name it {FORMATS}.")
    try:
        with opened(path, "rb") as file:
            data: bytes = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise AnswersError(f"{path} cannot be read: {reason(error).rstrip('.')}.") from error
    if len(data) > MOST_BYTES:
        raise AnswersError(f"{path} is larger than {MOST_BYTES // 10**9} GB: split it.")
    return name, data


def json_rows(path: str, text: str, *, lines_only: bool = False) -> Iterator[Row]:
    """Yield the rows of JSON Lines, or of one JSON value that holds them.

    One value is a list of objects, an object with one such list inside, an object of ids and
    answers, or a single row.

    Args:
        path: For messages.
        text: The content.
        lines_only: Whether the name promises JSON Lines.

    Raises:
        AnswersError: If there are none; says the line.
    """
    if not lines_only:
        try:
            yield from _of_one_value(path, parsed_json(text))
            return
        except RecursionError as error:
            raise AnswersError(f"{path} is nested too deeply to be read.") from error
        except ValueError as error:
            if "Extra data" not in str(error) and not text.lstrip().startswith("{"):
                raise AnswersError(f"{path} is not JSON that can be read: {reason(error)}.") from (
                    error
                )
    for number, line in enumerate(json_lines(text), start=1):
        if not line.strip():
            continue
        try:
            value = parsed_json(line)
        except (ValueError, RecursionError) as error:
            raise AnswersError(
                f"{path}, line {number} is not JSON that can be read: {reason(error)}; it begins "
                f"with {shown(line.strip()[:40])}."
            ) from error
        if not isinstance(value, dict):
            raise AnswersError(
                f"{path}, line {number} is {shown(value)}, but must be an object with an id and an "
                "answer."
            )
        yield Row(path, number, value)


def _of_one_value(path: str, value: Any) -> Iterator[Row]:
    """Yield the rows that one JSON value holds."""
    if isinstance(value, dict):
        lists = [each for each in value.values() if _is_rows(each)]
        if len(lists) == 1:
            value = lists[0]
        elif (
            value
            and all(isinstance(each, str) for each in value.values())
            and not ({"id", "prediction", "pred", "answer"} & value.keys())
        ):  # what SQuAD's own scorer reads
            value = [{"id": key, "prediction": said} for key, said in value.items()]
        else:
            value = [value]
    if not isinstance(value, list):
        raise AnswersError(f"{path} holds {shown(value)}, but must hold a list of answers.")
    for number, each in enumerate(value, start=1):
        if not isinstance(each, dict):
            raise AnswersError(
                f"{path}, line {number} is {shown(each)}, but must be an object with an id and an "
                "answer."
            )
        yield Row(path, number, each)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _text(path: str, data: bytes) -> str:
    try:
        return decoded(data)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise AnswersError(
            f"{path}, line {line} is not text that can be read: save the file as UTF-8."
        ) from error


def _table(path: str, text: str, delimiter: str) -> Iterator[Row]:
    """Yield the rows of a table whose first line names the columns."""
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise AnswersError(f"{path}, line {line} holds a NUL character: it is no table.")
    head = text.split("\n", 1)[0]
    if delimiter == "," and "," not in head and ";" in head:
        delimiter = ";"  # as Excel writes where a comma marks decimals
    csv.field_size_limit(min(MOST_BYTES, 2**31 - 1))
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] | None = None
    try:
        for values in lines:
            if not any(values):
                continue
            if names is None:
                names = _names(path, values)
                continue
            if len(values) != len(names):
                raise AnswersError(
                    f"{path}, line {lines.line_num} has {len(values)} values, but the first line "
                    f"names {len(names)} columns: a value that holds the separator must be in "
                    "quotes."
                )
            yield Row(path, lines.line_num, dict(zip(names, values, strict=True)))
    except csv.Error as error:
        raise AnswersError(
            f"{path}, line {lines.line_num} is no row of a table: {reason(error)}. A value that "
            "begins with a quote must be in quotes, and have its own written twice."
        ) from error


def _names(path: str, values: list[str]) -> list[str]:
    names = [value.strip() for value in values]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise AnswersError(f"{path}, line 1 names the column {twice!r} twice: rename one.")
    return names


def _spreadsheet(path: str, data: bytes) -> Iterator[Row]:
    """Yield the rows of an Excel file's first sheet."""
    try:
        import openpyxl
    except ImportError as error:
        raise AnswersError(
            f"{path} is an Excel file, which needs openpyxl: pip install openpyxl, or save it as "
            "CSV."
        ) from error
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        lines = list(book.worksheets[0].iter_rows(values_only=True))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, IndexError) as error:
        raise AnswersError(f"{path} is not an Excel file that can be read.") from error
    if not lines:
        return
    names = _names(path, ["" if value is None else str(value) for value in lines[0]])
    for number, values in enumerate(lines[1:], start=2):
        if any(value is not None for value in values):
            yield Row(path, number, dict(zip(names, values, strict=False)))
