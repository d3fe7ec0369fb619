"""Key-value retrieval: one value out of a list of random pairs, asked for from ten places.

Nothing is known of such pairs but what the prompt says, so a wrong answer is one that was not found
in it. The same pairs are asked about from ten places, which shows what a place alone does.

Source: Liu et al. 2023, "Lost in the Middle: How Language Models Use Long Contexts",
https://arxiv.org/abs/2307.03172, section 4. The pairs are drawn here, and the words are our own.
"""

import json
import random
import uuid
from collections.abc import Iterator
from functools import partial

from sinktrack.eval.task import Item, Scores, Task

SEED = 1
PLACES = 10
"""From how many places the same pairs are asked about, the first and the last among them."""


def pairs_items(pairs: int, split: str, limit: int) -> Iterator[Item]:
    """Build items; ten in a row have the same pairs and ask for the value at another place.

    Args:
        pairs: How many pairs an item has, at least as many as there are places.
        split: "validation" or "test".
        limit: How many items.
    """
    for number in range(limit):
        drawn, place = divmod(number, PLACES)
        rng = random.Random(f"{SEED}/{split}/{pairs}/{drawn}")
        words = [_word(rng) for _ in range(2 * pairs)]
        keys, values = words[:pairs], words[pairs:]
        key, value = keys.pop(), values.pop()
        at = round(place / (PLACES - 1) * (pairs - 1))
        keys.insert(at, key)
        values.insert(at, value)
        yield Item(
            id=f"{split}/{drawn}/{place}",
            question=f'Which value belongs to the key "{key}"? Answer with the value alone.',
            answer=value,
            passage=json.dumps(dict(zip(keys, values, strict=True)), indent=0),
            facts={"place": place},
            cluster=f"{split}/{drawn}",
        )


def independent_items(pairs: int, split: str, limit: int) -> list[Item]:
    """Return items that each have pairs of their own, the places in turn.

    Items with the same pairs go wrong together, so few of them look surer than they are.

    Args:
        pairs: As of `pairs_items`.
        split: As of `pairs_items`.
        limit: How many.
    """
    drawn = list(pairs_items(pairs, split, PLACES * limit))
    return [drawn[PLACES * number + number % PLACES] for number in range(limit)]


def _word(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _score(item: Item, answer: str) -> Scores:
    right = float(item.answer in answer.lower())
    return {"accuracy": (right, 1.0), measure(item.facts["place"]): (right, 1.0)}


def measure(place: int) -> str:
    """Return the name of the accuracy at a place, counted from 0."""
    return f"accuracy at place {place + 1}"


def key_value(pairs: int) -> Task:
    """Return the task with so many pairs."""
    return Task(f"key-value, {pairs} pairs", partial(pairs_items, pairs), _score, 64)


SUITES = {"key-value": (key_value(50),)}
