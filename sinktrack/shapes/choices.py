"""Lettered choices with step-by-step reasoning, in the form of M3CoT.

Source: Chen et al. 2024, "M3CoT: A Novel Benchmark for Multi-Domain Multi-step
Multi-modal Chain-of-Thought", https://arxiv.org/abs/2405.16473.
"""

import random
from collections.abc import Sequence

from sinktrack.shapes.questions import NUMBERS, Question, absent_kind, countable, plural
from sinktrack.shapes.scenes import Scene

LETTERS = "ABCD"


def choice(rng: random.Random, scene: Scene, negative: str = "random") -> Question:
    """Ask which of four kinds is there, or how many of something, with lettered options.

    Args:
        rng: the random generator.
        scene: the scene.
        negative: how the wrong kinds are picked, one of `questions.NEGATIVES`.
    """
    if rng.random() < 0.5:
        right = rng.choice(sorted(scene.kinds))
        wrong: list[str] = []
        while len(wrong) < len(LETTERS) - 1:
            name = str(absent_kind(rng, scene, negative if not wrong else "random"))
            wrong += [] if name in wrong else [name]
        seen = ", ".join(f"a {item.kind}" for item in scene.items)
        return _lettered(
            rng,
            "Which of these is in the picture?",
            str(right),
            wrong,
            f"I see {seen}. So it is the {right}.",
        )
    noun, number = countable(rng, scene)
    numbers = [other for other in range(len(NUMBERS)) if 0 < abs(other - number) <= 3]
    options = [NUMBERS[other] for other in rng.sample(numbers, len(LETTERS) - 1)]
    words = set(noun.split()) - {"shape"}
    counted = [f"a {item.kind}" for item in scene.items if words <= set(item.kind)]
    seen = f"I see {', '.join(counted)}." if counted else "I see none."
    return _lettered(
        rng,
        f"How many {plural(noun)} are there?",
        NUMBERS[number],
        options,
        f"{seen} That makes {NUMBERS[number]}.",
    )


def _lettered(
    rng: random.Random, question: str, right: str, wrong: Sequence[str], reasoning: str
) -> Question:
    options = [right, *wrong]
    rng.shuffle(options)
    listed = "\n".join(
        f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=True)
    )
    text = f"{question}\n{listed}\nLet's think step by step! End with **Answer: X**."
    letter = LETTERS[options.index(right)]
    return Question("choice", text, f"{reasoning} **Answer: {letter}**")
