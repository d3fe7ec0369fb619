"""Rules that read an answer: which option, which word, or that the text does not tell.

What a rule cannot read is unparsed, and counts as wrong. Three rules come along, and `load_rule`
finds a person's own.

Options, yes and no, and words:

- strict: the whole answer, or its last line, is "Answer: X" or X alone;
- fair: the last X behind "Answer"; else X alone, an option's text, or the last X of the last line;
- first-answer: as fair, with the first "Answer" in place of the last.

Answers from a text:

- strict: the answer abstains where all of it is an abstaining phrase;
- fair: it abstains where it holds one;
- first-answer: as fair, with the first line alone.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Literal, TypeVar

from sinktrack.core.errors import AnswersError, reason
from sinktrack.eval.answer_files import Row
from sinktrack.eval.options import Options, find_options
from sinktrack.eval.prediction_rows import Gold, Prediction
from sinktrack.eval.references import answerable
from sinktrack.eval.scorers import said_yes_or_no, squad, squad_words
from sinktrack.eval.task import Scores

RULES = ("fair", "strict", "first-answer")
RECORDED = "recorded"
"""Takes the scores that records of `sinktrack eval` hold already."""
Kind = Literal["choice", "yes-no", "word", "span"]
KINDS: tuple[Kind, ...] = ("choice", "yes-no", "word", "span")

ABSTAINING = (
    "cannotanswer",
    "cannot answer",
    "can't answer",
    "cannot be answered",
    "can't be answered",
    "unable to answer",
    "unanswerable",
    "not provide the answer",
    "not provide an answer",
    "not provide a direct answer",
    "not provide information",
    "not contain the answer",
    "not mentioned",
    "not specified",
    "not stated",
    "no answer",
    "cannot be determined",
    "cannot be found",
)
"""Phrases that say, anywhere in an answer, that the text does not tell. An empty one is an empty
answer, which the scorer of SQuAD 2.0 takes for that."""

LONGEST_WORD = 5
"""Words that an answer may have, to be read as a word or number; more if the right one has more."""

UNLISTED = "ABCDEFGH"
"""Letters of options that no file lists."""

UserRule = Callable[[str, Any, Mapping[str, Any]], Any]
"""Takes the answer, the right answer and the row's values. Returns whether it is right, a score
between 0 and 1, None where it cannot be read, or an object of such values by measure; a pair of
numbers is a numerator and a denominator, and (0, 0) leaves the item out."""

_MARKER = re.compile(r"\banswers?\b", re.IGNORECASE)
_MARKS = r"[\s*_:：=\-–—>~\"'“”‘’`\[\](){}（）【】<$\\]*"
_FILLER = re.compile(
    rf"{_MARKS}(?:(?:is|are|would be|should be|must be|option|choice|boxed|text)\b{_MARKS})*"
)
_NUMBERS = {"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5"} | {
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
    "eleven": "11",
    "twelve": "12",
}
_Said = TypeVar("_Said")


@dataclass(frozen=True)
class Rule:
    """How answers are read and scored.

    Args:
        name: One of `RULES`, `RECORDED`, or "module:function".
        kind: What the answers are; None for what the right answer looks like.
        abstaining: Phrases that say that the text does not tell.
        own: A person's own function, in place of all this.
    """

    name: str = "fair"
    kind: Kind | None = None
    abstaining: tuple[str, ...] = ABSTAINING
    own: UserRule | None = None

    def score(self, prediction: Prediction) -> Scores:
        """Return the measures of one answer: accuracy, unparsed, and those of its kind."""
        if self.own is not None:
            return self._score_own(self.own, prediction)
        prediction = replace(prediction, answer=without_thinking(prediction.answer))
        kind = self.kind or kind_of(prediction)
        if kind == "span":
            return self._score_span(prediction)
        gold = _right(prediction)[1] if self.kind is None else _one(prediction.gold)
        if kind == "yes-no":
            said = self.yes_or_no(prediction.answer)
            scores = said_yes_or_no(said, gold.strip().lower() == "yes")
        elif kind == "choice":
            said = self.letter(prediction.answer, prediction.options)
            scores = {"accuracy": (float(said == gold.strip().strip("().").upper()), 1.0)}
        else:
            meant = normalised(gold)
            said = self.word(prediction.answer, max(LONGEST_WORD, len(meant.split())))
            right = said is not None and said == meant
            scores = {"accuracy": (float(right), 1.0)}
        return _with_parsing(scores, said is not None)

    def letter(self, answer: str, options: Mapping[str, str]) -> str | None:
        """Return the option that an answer chooses; None where it cannot be read."""
        letters = "".join(options) or UNLISTED
        one = _letter_pattern(letters)

        def read(text: str) -> str | None:
            found = one.match(text)
            return (found.group(1) or found.group(2)).upper() if found else None

        def bare(text: str) -> str | None:
            found = re.fullmatch(rf"[\W_]*([{letters}{letters.lower()}])[\W_]*", text)
            return found.group(1).upper() if found else None

        def whole(text: str) -> str | None:
            plain = normalised(text)
            same = [key for key, value in options.items() if plain and normalised(value) == plain]
            return bare(text) or (same[0] if len(same) == 1 else None)

        return self._read(
            answer, read, whole, lambda line: bare(line) or _last_letter(line, letters)
        )

    def yes_or_no(self, answer: str) -> str | None:
        """Return the "yes" or "no" that an answer says; None where it cannot be read."""

        def read(text: str) -> str | None:
            found = re.match(r"(yes|no)\b", text, re.IGNORECASE)
            return found.group(1).lower() if found else None

        def last(line: str) -> str | None:
            words = re.findall(r"\b(yes|no)\b", line.lower())
            return words[-1] if words else None

        def whole(text: str) -> str | None:
            return read(normalised(text)) if len(text.split()) == 1 else None

        return self._read(answer, read, whole, last)

    def word(self, answer: str, longest: int = LONGEST_WORD) -> str | None:
        """Return the word or number that an answer says, normalised; None if it is too long.

        Args:
            answer: All of it.
            longest: How many words it may have.
        """

        def short(text: str) -> str | None:
            plain = "" if "\n" in text else normalised(text)
            return plain if plain and len(plain.split()) <= longest else None

        def read(text: str) -> str | None:
            return short(text.split("\n")[0])

        return self._read(answer, read, short, short)

    def _read(
        self,
        answer: str,
        read: Callable[[str], _Said | None],
        whole: Callable[[str], _Said | None],
        last: Callable[[str], _Said | None],
    ) -> _Said | None:
        """Return what an answer says.

        Args:
            answer: All of it.
            read: Reads what begins behind a marker and its colon.
            whole: Reads an answer without a marker.
            last: Reads the last line.
        """
        line = next((each for each in reversed(answer.split("\n")) if each.strip()), "")
        if self.name == "strict":
            marker = re.match(r"[\W_]*(?:final\s+)?answer\b", line, re.IGNORECASE)
            if marker is None:
                return whole(answer.strip())
            return whole(_behind(line, marker))
        behind = [_behind(answer, marker) for marker in _MARKER.finditer(answer)]
        for text in behind if self.name == "first-answer" else reversed(behind):
            said = read(text)
            if said is None:
                said = whole(text.split("\n")[0])
            if said is not None:
                return said
        said = whole(answer.strip())
        return last(line) if said is None else said

    def _score_span(self, prediction: Prediction) -> Scores:
        gold = prediction.gold
        references = answerable((gold,) if isinstance(gold, str) else gold or ())
        answer = prediction.answer
        if self.name == "first-answer":
            answer = next((each for each in answer.split("\n") if each.strip()), "")
        abstains = self.abstains(answer)
        parsed = abstains or bool(squad_words(answer))
        return _with_parsing(squad(answer, references, abstains), parsed)

    def abstains(self, answer: str) -> bool:
        """Tell whether an answer says that the text does not tell."""
        plain = " ".join(answer.lower().replace("’", "'").split())
        if not plain:
            return "" in self.abstaining
        if self.name == "strict":
            return plain.strip(" .!*\"'") in filter(None, self.abstaining)
        return any(phrase in plain for phrase in filter(None, self.abstaining))

    def _score_own(self, own: UserRule, prediction: Prediction) -> Scores:
        try:
            said = own(prediction.answer, prediction.gold, prediction.row.values)
            values = dict(said) if isinstance(said, Mapping) else {"accuracy": said}
            scores = {
                str(measure): value if isinstance(value, tuple) else (float(value or 0.0), 1.0)
                for measure, value in values.items()
            }
            pairs = {name: (float(above), float(below)) for name, (above, below) in scores.items()}
        except Exception as error:  # it is not this program's code
            raise AnswersError(
                f"The rule {self.name} failed at {prediction.row.place} (id {prediction.id}): "
                f"{type(error).__name__}: {reason(error).rstrip('.')}."
            ) from error
        if self.name == RECORDED and "accuracy" not in pairs:
            return pairs
        return _with_parsing(pairs, values.get("accuracy", 0.0) is not None)

    def stated(self) -> str:
        """Return the rule in a sentence."""
        if self.name == RECORDED:
            return "Scores are those that the records hold."
        if self.own is not None:
            return f"Answers were read by {self.name}."
        return (
            f"{_STATED[self.name]} What stands before </think> is left out. What cannot be read is "
            "unparsed and counts as wrong."
        )


_STATED = {
    "fair": (
        'Rule fair: the last option letter, yes or no, or word behind an "Answer" marker counts. '
        "Without a marker a bare letter does, an answer equal to one option's text, or the last "
        "explicit letter, or yes or no, of the last line."
    ),
    "strict": 'Rule strict: the last line must be "Answer: X", or the whole answer X alone.',
    "first-answer": (
        'Rule first-answer: the first option letter, yes or no, or word behind an "Answer" marker '
        "counts. Without a marker it reads as the rule fair does."
    ),
}


def find_rule(name: str, kind: Kind | None, abstaining: Sequence[str]) -> Rule:
    """Return a rule by its name.

    Args:
        name: One of `RULES`, `RECORDED`, or "module:function" of a person's own.
        kind: As for `Rule`.
        abstaining: As for `Rule`; case does not count.

    Raises:
        AnswersError: If there is none of this name.
    """
    phrases = tuple(" ".join(phrase.lower().split()) for phrase in abstaining)
    if name in RULES:
        return Rule(name, kind, phrases)
    if name == RECORDED:
        return Rule(name, kind, phrases, _recorded)
    if ":" not in name:
        raise AnswersError(
            f"There is no rule {name!r}: choose one of {', '.join([*RULES, RECORDED])}, or write "
            "module:function."
        )
    return Rule(name, kind, phrases, load_rule(name))


def _recorded(answer: str, gold: Any, row: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    if not isinstance(row.get("scores"), dict):
        raise ValueError("the row has no scores, which records of sinktrack eval have")
    return {measure: (above, below) for measure, (above, below) in row["scores"].items()}


def fair_scores(
    answer: str, gold: Gold, *, question: str = "", options: Options | None = None
) -> Scores:
    """Score one answer of a benchmark by the rule fair: accuracy, unparsed, and those of its kind.

    Args:
        answer: What was said.
        gold: What is right: an option's letter, yes or no, another word or number, or references.
        question: What was asked, whose options count where there are no others.
        options: By their letters; None for those that stand in the question.
    """
    asked = find_options(question) if options is None else options
    row = Row(file="", line=0, values={})
    return Rule().score(Prediction("", answer, gold, question, asked, (), "", row))


def said_at_the_end(answer: str) -> str:
    """Return the answer at the end of a longer text.

    Where "Answer" and a colon stand, the rest of the last such line; else the last line.
    """
    lines = [line for line in answer.split("\n") if line.strip()]
    for line in reversed(lines):
        for marker in reversed(list(_MARKER.finditer(line))):
            behind = line[marker.end() :].lstrip(" *_")
            if behind.startswith(":") and behind.strip(" :*_"):
                return behind.strip(" :*_")
    return lines[-1].strip() if lines else ""


def load_rule(name: str) -> UserRule:
    """Return a person's own rule.

    Args:
        name: "module:function", the module as Python imports it.

    Raises:
        AnswersError: If there is no such function.
    """
    module, _, function = name.partition(":")
    try:
        own: UserRule = getattr(import_module(module), function)
    except Exception as error:  # a module may fail in any way
        raise AnswersError(
            f"The rule {name} cannot be loaded: {reason(error).rstrip('.')}. Is its folder in "
            "PYTHONPATH?"
        ) from error
    if not callable(own):
        raise AnswersError(f"The rule {name} is no function.")
    return own


def kind_of(prediction: Prediction) -> Kind:
    """Return what an answer must be, as the right answer tells.

    References are a list. Else yes or no, an option's letter, or any other word or number.
    """
    return "span" if not isinstance(prediction.gold, str) else _right(prediction)[0]


def _right(prediction: Prediction) -> tuple[Kind, str]:
    """Return the kind of a right answer, and what it comes down to.

    It may be a whole sentence, as in the tasks of this program: "Yes, there is.", "**Answer: B**".
    GSM8K's are solutions that end with "#### 72".
    """
    gold, options = _one(prediction.gold).rsplit("####", 1)[-1].strip(), prediction.options
    said = re.match(r"(yes|no)(?:$|[,.;]\s)", gold, re.IGNORECASE)
    if said:
        return "yes-no", said.group(1).lower()
    letter = gold.strip("().").upper()
    unlisted = not options and re.fullmatch(f"[{UNLISTED}]", gold.strip("()."))
    if letter in options or unlisted:
        return "choice", letter
    told = Rule().letter(gold, options) if options and _MARKER.search(gold) else None
    return ("word", gold) if told is None else ("choice", told)


def without_thinking(answer: str) -> str:
    """Return an answer without what a model that marks its thinking has thought."""
    return answer.rpartition("</think>")[2].partition("<think>")[0]


def normalised(text: str) -> str:
    """Return a short answer without case, marks and articles, its numbers in digits."""
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", text.lower())
    plain = re.sub(r"\.0+(?!\d)", "", plain)
    plain = re.sub(r"(?<!\d)[.](?!\d)|(?<=\d)[.](?!\d)|[^\w\s.%-]|_", " ", plain)
    words = (_NUMBERS.get(word, word) for word in plain.split())
    return " ".join(word for word in words if word not in ("a", "an", "the") and word != "-")


def _with_parsing(scores: Scores, parsed: bool) -> Scores:
    """Add what was unparsed, and accuracy among the rest."""
    right, counts = scores.get("accuracy", (0.0, 0.0))
    return {
        **scores,
        "accuracy among parsed": (right, counts) if parsed else (0.0, 0.0),
        "unparsed": (float(not parsed), 1.0),
    }


def _behind(text: str, marker: re.Match[str]) -> str:
    """Return what follows a marker, its colon and the like."""
    filler = _FILLER.match(text, marker.end())
    return text[filler.end() if filler else marker.end() :]


def _one(gold: Any) -> str:
    return gold if isinstance(gold, str) else next(iter(gold or ()), "")


def _letter_pattern(letters: str) -> re.Pattern[str]:
    """Return what matches a letter that stands alone; a small one must be closed by a mark."""
    return re.compile(rf"([{letters}])(?![\w'’])|([{letters.lower()}])(?=\s*(?:[).:,\]*]|$))")


def _last_letter(line: str, letters: str) -> str | None:
    """Return the last letter of a line that is marked as an option: "(B)", "B.", "option B"."""
    marked = re.findall(
        rf"\(([{letters}])\)|\b([{letters}])[.):](?=\W|$)|(?:\*\*|\{{)([{letters}])(?:\*\*|\}})"
        rf"|\b(?:[Oo]ption|[Cc]hoice|is|be)\s+[\"'“*(]*([{letters}])(?![\w'’])(?!\s+\w)"
        rf"|\b(?:[Oo]ption|[Cc]hoice)\s+[\"'“*(]*([{letters}])(?![\w'’])",
        line,
    )
    return next(letter for letter in marked[-1] if letter) if marked else None
