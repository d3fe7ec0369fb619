"""What a study's page says of what it keeps; docs/hosting.md says the same."""

from app.shared.about import Kept
from app.shared.settings import Settings


def what_is_kept(settings: Settings) -> Kept:
    """Return what a study keeps of its annotators.

    Args:
        settings: How it is set.
    """
    copied = " A copy goes to a dataset on the Hugging Face Hub." if settings.dataset else ""
    return (
        (
            "Your votes, with your name, your comments and the time",
            f"In the study’s database until its owner deletes them.{copied} The owner sees them "
            "all.",
        ),
        (
            "Your drafts, and the code that is yours",
            "In this browser alone, until you clear its data for this page.",
        ),
        (
            "The log",
            "One line a sign-in and a vote: when, and how it ended. Not your name, not what you "
            "chose. Of a wrong code the address that it came from.",
        ),
    )
