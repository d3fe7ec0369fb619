"""When a study ends by itself: read from study.yaml, and told in words."""

from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

from sinktrack.core.errors import StudyError, shown


def read_until(said: Any, file: Path) -> datetime | None:
    """Return the first moment at which a study has ended, in UTC.

    Args:
        said: What stands behind `until`: a date, which counts as a whole, or a date with a time, in
            UTC unless it has an offset. None for a study that does not end by itself.
        file: Named in messages.

    Raises:
        StudyError: If it is neither.
    """
    if said is None:
        return None
    try:
        moment = _moment(said)
    except (ValueError, OverflowError) as error:
        raise StudyError(
            f"{file}: until is {shown(said)}, but must be a date such as 2026-12-24, or a date "
            "with a time such as 2026-12-24 18:00 or 2026-12-24 18:00+01:00."
        ) from error
    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _moment(said: Any) -> datetime:
    if isinstance(said, str):  # YAML knows no times without seconds
        said = said.strip().removesuffix("Z")
        try:
            said = date.fromisoformat(said)
        except ValueError:
            said = datetime.fromisoformat(said)
    if isinstance(said, datetime):
        return said
    if isinstance(said, date):
        return datetime.combine(said + timedelta(days=1), time())
    raise ValueError


def in_words(moment: datetime) -> str:
    """Return a moment in UTC as people read it: midnight is the end of a day."""
    if moment.time() == time():
        return f"at the end of {moment.date() - timedelta(days=1)} (UTC)"
    return f"on {moment:%Y-%m-%d} at {moment:%H:%M} (UTC)"
