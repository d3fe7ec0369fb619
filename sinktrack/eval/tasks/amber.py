"""AMBER: descriptions, and questions of yes or no, about 1,004 pictures whose things are listed.

All is read from a copy of https://github.com/junyangwang0410/AMBER (its `data` folder: questions,
annotations and word lists) and the folder of its pictures, AMBER_1.jpg to AMBER_1004.jpg, which is
published beside it. Nothing of it is copied here.

Descriptions: the words of the benchmark's lists that a description holds, singular or plural, are
held against those that annotators listed for the picture. CHAIR is the share of them that are not
there, Hal the share of descriptions with one, Cover the share of listed things that are mentioned,
and Cog the share of things that models were expected to invent that are mentioned. The official
script takes nouns by a tagger, and words that spaCy's vectors call alike for the same; neither is
done here, so figures are not the official ones. docs/tasks.md tells how to get those.

Questions: accuracy; precision, recall and F1 of no, which is the answer where something is made up.
The rule fair reads yes or no, where the official script takes the whole answer "Yes" or "No".

Sources: Wang et al. 2023, https://arxiv.org/abs/2311.07397, and `inference.py` of that repository
at 534babf, whose data has 1,004 descriptions and 14,216 questions.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from sinktrack.core.errors import DataError
from sinktrack.core.files import read_text
from sinktrack.eval.answer_files import read_json
from sinktrack.eval.data_sets import is_file, picture_in, spread
from sinktrack.eval.nouns import known_form, words_in
from sinktrack.eval.prompts import TaskPrompt, prompt_of
from sinktrack.eval.rules import fair_scores
from sinktrack.eval.task import WHOLE, Benchmark, Chosen, Item, Scores, Task

PLACES = {
    "amber": "a copy of the repository junyangwang0410/AMBER",
    "images": "the folder with AMBER_1.jpg and the others; by default image/ in the copy",
}

KINDS = {
    "generative": None,
    "discriminative-hallucination": "existence",
    "discriminative-attribute-state": "attribute",
    "discriminative-attribute-number": "attribute",
    "discriminative-attribute-action": "attribute",
    "discriminative-relation": "relation",
    "relation": "relation",
}
"""The annotations' types to what a question is about; None asks for a description."""


class _Words:
    """AMBER's lists of words.

    Args:
        alike: Words to those that mean the same, or a kind of it.
        harmless: Words that never count as made up.
    """

    def __init__(self, alike: Mapping[str, Sequence[str]], harmless: Sequence[str]) -> None:
        self._alike = alike
        self._harmless = frozenset(harmless)
        self._known = frozenset(alike) | {each for words in alike.values() for each in words}

    def score(self, answer: str, truth: Sequence[str], expected: Sequence[str]) -> Scores:
        """Score a description.

        Args:
            answer: The description.
            truth: What is in the picture.
            expected: What is not, and may be made up.
        """
        found = (known_form(word, self._known) for word in words_in(answer))
        nouns = [word for word in found if word is not None]
        covered, thought, made_up = set(), set(), 0
        for noun in nouns:
            if noun in self._harmless:
                continue
            at = self._place(noun, truth)
            if at is not None:
                covered.add(at)
                continue
            made_up += 1
            at = self._place(noun, expected)
            if at is not None:
                thought.add(at)
        return {
            "CHAIR": (float(made_up), float(len(nouns))),
            "Cover": (float(len(covered)), float(len(truth))),
            "Hal": (float(made_up > 0), 1.0),
            "Cog": (float(len(thought)), float(len(expected))),
        }

    def _place(self, noun: str, listed: Sequence[str]) -> int | None:
        """Return which listed word a noun stands for: one that is alike comes before itself."""
        for number, word in enumerate(listed):
            if noun in self._alike.get(word, ()):
                return number
        return listed.index(noun) if noun in listed else None


@lru_cache(maxsize=2)
def _copy(folder: str) -> tuple[list[dict[str, Any]], dict[int, dict[str, Any]], _Words]:
    """Return questions, annotations by id, and words.

    Raises:
        DataError: If the folder does not hold them.
    """
    paths = {
        name: Path(folder) / "data" / name
        for name in ("query/query_all.json", "annotations.json", "relation.json", "safe_words.txt")
    }
    missing = next((name for name, path in paths.items() if not is_file(str(path))), None)
    if missing is not None:
        raise DataError(f"{folder} is no copy of AMBER: it has no data/{missing}.")
    queries, annotations, alike = (read_json(str(path)) for path in list(paths.values())[:3])
    harmless = read_text(paths["safe_words.txt"]).splitlines()
    try:
        by_id = {each["id"]: each for each in annotations}
        for each in queries:
            each["kind"] = KINDS[by_id[each["id"]]["type"]]
        return queries, by_id, _Words(alike, harmless)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"The data in {folder} are not AMBER's: {error} is strange.") from error


def _items(
    generative: bool, data: Mapping[str, str], prompt: TaskPrompt, split: str, limit: int
) -> Iterator[Item]:
    if split != "test":
        raise DataError("AMBER has no split to choose by: measure with --split test.")
    queries, annotations, words = _copy(data["amber"])
    images = Path(data.get("images") or Path(data["amber"]) / "image")
    for query in spread([each for each in queries if (each["kind"] is None) == generative], limit):
        annotation = annotations[query["id"]]
        truth = annotation["truth"]
        facts = (
            {"words": words, "truth": truth, "expected": annotation["hallu"]}
            if generative
            else {"kind": query["kind"]}
        )
        yield Item(
            id=str(query["id"]),
            answer=", ".join(truth) if generative else truth,
            images=[picture_in(images, query["image"])],
            facts=facts,
            cluster=query["image"],
            **prompt.put(question=query["query"]),
        )


def _score_description(item: Item, answer: str) -> Scores:
    words: _Words = item.facts["words"]
    length = {"words": (float(len(answer.split())), 1.0)}
    return words.score(answer, item.facts["truth"], item.facts["expected"]) | length


def _score_question(item: Item, answer: str) -> Scores:
    scores = fair_scores(answer, item.answer)
    right, parsed = scores["accuracy"][0], not scores["unparsed"][0]
    says_no = parsed and not scores["yes ratio"][0]
    is_no = item.answer == "no"
    hit = float(says_no and is_no)
    return {
        "accuracy": scores["accuracy"],
        f"accuracy, {item.facts['kind']}": (right, 1.0),
        "precision of no": (hit, float(says_no)),
        "recall of no": (hit, float(is_no)),
        "F1 of no": (2 * hit, float(says_no + is_no)),
        "yes ratio": scores["yes ratio"],
        "unparsed": scores["unparsed"],
    }


def _tasks(generative: bool, chosen: Chosen) -> tuple[Task, ...]:
    if "amber" not in chosen.data:
        raise DataError(
            f"AMBER is read from a folder: add --data amber=FOLDER ({PLACES['amber']})."
        )
    prompt = prompt_of(("amber",) if generative else ("yes_no",), chosen.prompt)

    def about(split: str) -> dict[str, Any]:
        _copy(chosen.data["amber"])
        return {"data": "AMBER", "files": dict(chosen.data)} | prompt.about()

    return (
        Task(
            name="AMBER, descriptions" if generative else "AMBER, questions",
            items=partial(_items, generative, chosen.data, prompt),
            score=_score_description if generative else _score_question,
            max_new_tokens=prompt.tokens,
            limit=WHOLE,
            about=about,
        ),
    )


SUITES = {
    f"amber-{name}": Benchmark(
        tasks=partial(_tasks, name == "generative"), places=PLACES, on_hub=False
    )
    for name in ("generative", "discriminative")
}
