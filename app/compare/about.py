"""What the page that compares says of what it keeps; docs/hosting.md says the same."""

from app.shared.about import Kept
from app.shared.settings import Settings
from app.shared.ui import FILE_AGE

PRIVATE = "This page is private: it keeps nothing of yours once you close the tab."
_HOURS = f"{FILE_AGE // 3600} hours"


def what_is_kept(settings: Settings) -> Kept:
    """Return what the page keeps of its visitors.

    Args:
        settings: How it is set.
    """
    if settings.private:
        return (
            (
                "Your pictures, and files made for you",
                "On this server until you close the tab or it loses its connection; "
                f"{_HOURS} at most.",
            ),
            (
                "Your conversation, and what stands behind its words",
                "In the server’s memory, just as long.",
            ),
            ("Finished comparisons", "Not kept. There are no links and no gallery."),
            (
                "The log",
                "How many questions there were and how they ended, once an hour. Of an error the "
                "place in the code. Nothing else of you.",
            ),
        )
    gallery = (
        (
            "What you put into the gallery",
            "On this server until its owner deletes it. Everybody who opens this page sees it.",
        ),
    )
    return (
        ("Your pictures, and files made for you", f"On this server for {_HOURS}."),
        (
            "Finished comparisons, with question, picture and answers",
            f"On this server for {_HOURS}, so that their links work. Whoever has a link sees the "
            "comparison; nobody can guess one. Answers to programs are not kept.",
        ),
        *(gallery if settings.gallery is not None else ()),
        (
            "What stands behind the words of an answer",
            "In the server’s memory for 10 minutes after you last looked at it.",
        ),
        ("Your conversation", "In the server’s memory for an hour after you close the tab."),
        (
            "The log",
            "One line a question: when, how it ended, how long it took, and how many methods, "
            "pictures and tokens it had. Nothing that you typed or uploaded.",
        ),
    )
