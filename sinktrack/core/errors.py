"""Everything this library raises on purpose.

    SinkTrackError
    ├── MethodError        a method that is not valid or does not fit the model
    ├── AttachError        the model cannot be attached to, or is attached to already
    ├── PromptError        a question or prompt that cannot be used
    ├── PictureError       a picture that cannot be read or is outside the limits
    ├── ModelError         a checkpoint that is missing, incomplete or of an unknown architecture
    ├── DeviceMemoryError  the device ran out of memory
    ├── ReplayError        a saved comparison that cannot be read
    ├── TraceError         a trace that does not exist, or whose file cannot be read
    ├── StudyError         a study whose files cannot be used
    ├── StoreError         votes that cannot be read or kept
    ├── AnswersError       answers made elsewhere that cannot be read or scored
    ├── DataError          a benchmark's data that cannot be read
    └── OutputError        a file that cannot be written

Every message is a whole sentence that names the value, the limit and what to do, so that it can be
shown to a person as it is.
"""

from collections.abc import Sequence


class SinkTrackError(Exception):
    """Base of all errors that this library raises on purpose."""


def reason(error: BaseException) -> str:
    """Return what another library's error says, on one line and not too long."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= 200 else said[:200] + "…"


def shown(value: object) -> str:
    """Return a value as a message shows it, not too long."""
    try:
        said = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "a number of thousands of digits"
    return said if len(said) <= 80 else said[:80] + "…"


def listed(names: Sequence[str]) -> str:
    """Join names as people do: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


class MethodError(SinkTrackError):
    """A method that is not valid, or does not fit the model it is used with."""


class AttachError(SinkTrackError):
    """A model that cannot be attached to now."""


class PromptError(SinkTrackError):
    """A question or prompt that cannot be used."""


class PictureError(SinkTrackError):
    """A picture that cannot be read or is outside the limits."""


class ModelError(SinkTrackError):
    """A checkpoint that cannot be loaded."""


class DeviceMemoryError(SinkTrackError):
    """The device ran out of memory while answering."""


class ReplayError(SinkTrackError):
    """A saved comparison that cannot be read."""


class TraceError(SinkTrackError):
    """A trace that does not exist, or whose file cannot be read."""


class StudyError(SinkTrackError):
    """A study whose files cannot be used."""


class StoreError(SinkTrackError):
    """Votes that cannot be read or kept."""


class AnswersError(SinkTrackError):
    """Answers made elsewhere that cannot be read or scored."""


class DataError(SinkTrackError):
    """A benchmark's data that cannot be read, or are not what they should be."""


class OutputError(SinkTrackError):
    """A file that cannot be written."""
