"""What a person asks, as turns of a conversation: text, pictures and videos, checked and cleaned.

Messages come in transformers' chat format, or as single arguments that make one user turn. Knows
nothing about tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sinktrack.core.errors import PromptError
from sinktrack.core.images import Picture, load_picture
from sinktrack.core.texts import BETWEEN_TEXTS
from sinktrack.core.video import Video, load_video

Role = Literal["system", "user", "assistant"]

ZERO_WIDTH_SPACE = "\u200b"
# Marks that reorder or hide neighbouring text when shown.
_BIDI = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
# These, Unicode's control characters but line breaks and tabs, and halves of surrogates.
_REMOVED = dict.fromkeys(
    [*map(ord, _BIDI), *range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000)]
)
del _REMOVED[ord("\n")], _REMOVED[ord("\t")]

MAX_QUESTION_TOKENS = 2000
# No tokenizer packs more into a token on average; counting the tokens of megabytes takes minutes.
MAX_QUESTION_CHARACTERS = 20 * MAX_QUESTION_TOKENS
MAX_TEXT_CHARACTERS = 2_000_000


@dataclass(frozen=True)
class Text:
    """A text in a turn.

    Args:
        text: Without control characters.
        kind: The part of the prompt that its tokens are.
    """

    text: str
    kind: Literal["system", "history", "passage", "instruction"]


Content = Text | Picture | Video


@dataclass(frozen=True)
class Turn:
    """What one side says."""

    role: Role
    content: tuple[Content, ...]

    @property
    def text(self) -> str:
        """Its texts, passages left out."""
        return BETWEEN_TEXTS.join(
            each.text for each in self.content if isinstance(each, Text) and each.kind != "passage"
        )


Conversation = tuple[Turn, ...]


def passage_of(turns: Conversation) -> str:
    """Return the passages of a conversation; "" without one."""
    texts = (each for turn in turns for each in turn.content if isinstance(each, Text))
    return BETWEEN_TEXTS.join(each.text for each in texts if each.kind == "passage")


def visuals_of(turns: Conversation) -> tuple[Picture | Video, ...]:
    """Return the pictures and videos of a conversation, in order."""
    content = (each for turn in turns for each in turn.content)
    return tuple(each for each in content if not isinstance(each, Text))


def clean_text(text: Any, what: str, most: int = MAX_TEXT_CHARACTERS) -> str:
    """Return `text` without control characters, lone surrogates and marks that reorder it.

    Args:
        text: As it was given.
        what: What it is called in a message, such as "question".
        most: The most characters.

    Raises:
        PromptError: If nothing is left, or it is far too long.
    """
    if not isinstance(text, str):
        raise PromptError(f"The {what} is a {type(text).__name__}: give it as text.")
    if len(text) > most:
        raise PromptError(
            f"The {what} has {len(text)} characters; the limit is {most}: shorten it."
        )
    cleaned = text.replace("\r\n", "\n").replace("\r", "\n").translate(_REMOVED).strip()
    if not cleaned.replace(ZERO_WIDTH_SPACE, "").strip():
        raise PromptError(f"The {what} is blank: type one.")
    return cleaned


def clean_question(text: Any) -> str:
    """Return a question cleaned as by `clean_text`.

    Raises:
        PromptError: If nothing is left, or it is far too long.
    """
    return clean_text(text, "question", MAX_QUESTION_CHARACTERS)


def same_question(one: Any, other: str) -> bool:
    """Tell whether two questions differ in nothing but how control tokens in them are broken."""
    return isinstance(one, str) and (
        one.replace(ZERO_WIDTH_SPACE, "") == other.replace(ZERO_WIDTH_SPACE, "")
    )


def conversation(
    *,
    question: str | None = None,
    image: Any = None,
    images: Sequence[Any] | None = (),
    video: Any = None,
    passage: str | None = None,
    messages: Sequence[Any] | None = None,
    system: str | None = None,
) -> Conversation:
    """Return what is asked as turns.

    Args:
        question: The user's text. After `messages` it is one more turn.
        image: One picture, as `load_picture` takes it.
        images: Several, in order, after `image`.
        video: A video, as `load_video` takes it.
        passage: The text that the question is about; it stands before the question.
        messages: A conversation in transformers' chat format: dicts with "role" ("system", "user"
            or "assistant") and "content", a text or a list of {"type": "text", "text": ...},
            {"type": "image", "image": ...} and {"type": "video", "video": ...}. A text with
            "part": "passage" is a passage. The last turn is the user's.
        system: The system prompt.

    Raises:
        PromptError: If a text is blank, or messages are not in that format.
        PictureError: If a picture or video cannot be used.
    """
    turns = _turns(messages)
    if system is not None:
        if turns and turns[0].role == "system":
            raise PromptError("The messages have a system prompt already: give one or the other.")
        turns = [Turn("system", (Text(clean_text(system, "system prompt"), "system"),)), *turns]
    seen = [*([] if image is None else [image]), *(images or ())]
    if question is None and (seen or video is not None or passage is not None or not turns):
        raise PromptError("There is no question: give one, or messages that end with one.")
    if question is not None:
        content: list[Content] = [load_picture(each) for each in seen]
        content += [] if video is None else [load_video(video)]
        content += [] if passage is None else [Text(clean_text(passage, "passage"), "passage")]
        turns.append(Turn("user", (*content, Text(clean_question(question), "instruction"))))
    return _with_history(turns)


def without(turns: Conversation, kind: str) -> Conversation:
    """Return a conversation without its parts of a kind, such as "passage" or "image"."""
    classes: dict[str, tuple[type, ...]] = {"image": (Picture, Video), "video": (Video,)}

    def gone(content: Content) -> bool:
        return isinstance(content, classes.get(kind, ())) or getattr(content, "kind", "") == kind

    left = (
        Turn(turn.role, tuple(each for each in turn.content if not gone(each))) for turn in turns
    )
    return tuple(turn for turn in left if turn.content)


def as_messages(turns: Conversation) -> list[dict[str, Any]]:
    """Return turns in transformers' chat format; `conversation(messages=...)` reads them back."""

    def item(content: Content) -> dict[str, Any]:
        if isinstance(content, Text):
            part = {"part": "passage"} if content.kind == "passage" else {}
            return {"type": "text", "text": content.text} | part
        kind = "image" if isinstance(content, Picture) else "video"
        return {"type": kind, kind: content}

    return [{"role": turn.role, "content": [item(each) for each in turn.content]} for turn in turns]


def with_texts(turns: Conversation, texts: Sequence[str]) -> Conversation:
    """Return a conversation whose texts are replaced, one after the other."""
    new = iter(texts)
    return tuple(
        Turn(
            turn.role,
            tuple(
                Text(next(new), each.kind) if isinstance(each, Text) else each
                for each in turn.content
            ),
        )
        for turn in turns
    )


def with_system(turns: Conversation, system: str) -> Conversation:
    """Return a conversation with another system prompt, or with one where it had none."""
    others = turns[1:] if turns[0].role == "system" else turns
    return (Turn("system", (Text(system, "system"),)), *others)


def with_more(turns: Conversation, before: str, after: str) -> Conversation:
    """Return a conversation with more text around the last text of the user."""
    *earlier, last = turns
    at = max(n for n, each in enumerate(last.content) if isinstance(each, Text))
    content = list(last.content)
    content[at] = Text(f"{before}{getattr(content[at], 'text', '')}{after}", "instruction")
    return (*earlier, Turn(last.role, tuple(content)))


def template_content(content: Sequence[Content], *, in_parts: bool) -> Any:
    """Return a turn's content as a chat template takes it.

    Args:
        content: The content.
        in_parts: For templates of models that read pictures, many of which lose a text that is not
            one of several parts; others know nothing but one text.
    """
    items: list[dict[str, str]] = []
    for each in content:
        if not isinstance(each, Text):
            items.append({"type": "image" if isinstance(each, Picture) else "video"})
        elif items and items[-1]["type"] == "text":
            items[-1] = {"type": "text", "text": items[-1]["text"] + BETWEEN_TEXTS + each.text}
        else:
            items.append({"type": "text", "text": each.text})
    return items if in_parts else items[0]["text"]


def _turns(messages: Any) -> list[Turn]:
    """Read messages in transformers' chat format."""
    if messages is None:
        return []
    if isinstance(messages, str | bytes | dict) or not isinstance(messages, Sequence):
        raise PromptError('messages must be a list of {"role": ..., "content": ...}.')
    turns: list[Turn] = []
    for number, message in enumerate(messages, start=1):
        where = f"message {number}"
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            raise PromptError(f'The {where} must be {{"role": ..., "content": ...}} and no more.')
        role = message["role"]
        if role not in ("system", "user", "assistant"):
            raise PromptError(
                f"The role of {where} is {role!r}, but must be system, user or assistant."
            )
        if role == "system" and turns:
            raise PromptError(f"The {where} is a system prompt: it must come first.")
        content = message["content"]
        items = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(items, Sequence) or not items:
            raise PromptError(f"The content of {where} must be a text or a list of parts.")
        turns.append(Turn(role, tuple(_content(item, role, where) for item in items)))
    return turns


def _content(item: Any, role: str, where: str) -> Content:
    kind = item.get("type") if isinstance(item, dict) else None
    if kind not in ("text", "image", "video") or kind not in item:
        raise PromptError(
            f'A part of {where} must be {{"type": "text", "text": ...}}, or the same with image or '
            f"video, but is {str(item)[:80]!r}."
        )
    extra = set(item) - {"type", kind} - ({"part"} if kind == "text" else set())
    if extra or item.get("part", "passage") != "passage":
        strange = min(map(str, extra), default="part")
        raise PromptError(f"A part of {where} says {strange!r}, which means nothing here.")
    if kind != "text" and role != "user":
        raise PromptError(f"The {where} holds {kind}s, which only the user's turns may.")
    if kind == "image":
        return load_picture(item["image"])
    if kind == "video":
        return load_video(item["video"])
    if "part" in item:
        return Text(clean_text(item["text"], "passage"), "passage")
    return Text(clean_text(item["text"], f"text of {where}"), "history")


def _with_history(turns: Sequence[Turn]) -> Conversation:
    """Mark the texts of the last turn as the instruction, and of those before it as history."""
    if turns[-1].role != "user" or not turns[-1].text:
        raise PromptError("The last turn must be the user's, with a text: ask something there.")
    clean_question(turns[-1].text)  # its own limit
    last = len(turns) - 1

    def marked(each: Content, at: int) -> Content:
        if not isinstance(each, Text) or each.kind == "passage":
            return each
        if at == last:
            return Text(each.text, "instruction")
        return Text(each.text, "system" if turns[at].role == "system" else "history")

    return tuple(
        Turn(turn.role, tuple(marked(each, at) for each in turn.content))
        for at, turn in enumerate(turns)
    )
