"""Can a model tell what it does not know: `python unfamiliar.py`.

Held-out scenes against held-out pictures of other kinds, by the distance of the vision tokens
(`sinktrack.eval.familiar`); and held-out phrasings about the little world against questions that
lie outside it, by the mean likelihood of their tokens under the model itself. Of each the area
under the ROC curve, and how many are told at the limit, which for questions is where one of a
hundred familiar ones would be told as well.
"""

import argparse
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

import sinktrack
from sinktrack.core.images import load_picture
from sinktrack.core.prompt import build_prompt
from sinktrack.eval.familiar import LIMIT, FamiliarPictures
from sinktrack.shapes import other_pictures, outside
from sinktrack.shapes.everyday import KINDS_ASKED, everyday
from sinktrack.shapes.scenes import Scene, draw, sample_scene

Values = np.ndarray[Any, np.dtype[np.float64]]


def area(inside: Values, beyond: Values) -> float:
    """Return the share of pairs in which what lies outside has the larger value."""
    return float((beyond[:, None] > inside).mean() + (beyond[:, None] == inside).mean() / 2)


def scene(rng: random.Random) -> Scene:
    """Return a held-out scene."""
    return sample_scene(rng, rng.randint(1, 6), "test", prior=0.0)


def pictures(model: Any, processor: Any, limit: int) -> None:
    """Print the table of pictures."""
    rng = random.Random(1)
    known = FamiliarPictures.scenes(model, processor)

    def distances(make: Callable[[], Any], name: str) -> Values:
        return np.array(
            [known.distance(load_picture(make())) for _ in tqdm(range(limit), desc=name)]
        )

    inside = distances(lambda: draw(scene(rng), rng.choice((1, 4))), "scenes")
    print(f"Limit {LIMIT}.")
    print("\n| pictures | distance: least, median, most | area | told at the limit |")
    print("|---|---|---|---|")
    row("held-out scenes", inside, None, LIMIT)
    for held_out in (True, False):
        named = "held-out kinds" if held_out else "kinds of training"
        beyond = distances(lambda held=held_out: other_pictures.picture(rng, held), named)
        row(f"other pictures, {named}", beyond, inside, LIMIT)


def row(name: str, values: Values, inside: Values | None, limit: float) -> None:
    """Print one row."""
    least, middle, most = np.quantile(values, (0, 0.5, 1))
    found = "" if inside is None else f"{area(inside, values):.4f}"
    told = float((values > limit).mean())
    print(f"| {name} | {least:.2f}, {middle:.2f}, {most:.2f} | {found} | {told:.1%} |")


@torch.inference_mode()
def surprise(model: Any, processor: Any, question: str, shown: Scene) -> float:
    """Return the mean negative log likelihood of a question's tokens, in nats."""
    prompt = build_prompt(model, processor, question, [load_picture(draw(shown))])
    ids = prompt.inputs["input_ids"][0]
    logs = model(**prompt.inputs).logits[0, :-1].float().log_softmax(-1)
    told = -logs.gather(1, ids[1:, None])[:, 0]
    asked = prompt.parts[1:] == prompt.names.index("instruction")
    return float(told[asked].mean())


def questions(model: Any, processor: Any, limit: int) -> None:
    """Print the table of questions."""
    rng = random.Random(2)

    def surprises(ask: Callable[[Scene], Any], name: str) -> Values:
        found = []
        for _ in tqdm(range(limit), desc=name):
            question = None
            while question is None or question.earlier:
                shown = scene(rng)
                question = ask(shown)
            found.append(surprise(model, processor, question.text, shown))
        return np.array(found)

    kinds = sorted(KINDS_ASKED)
    inside = surprises(lambda shown: everyday(rng, shown, rng.choice(kinds), True), "familiar")
    limit_of = float(np.quantile(inside, 0.99))
    print("\n| questions | nats a token: least, median, most | area | told at the limit |")
    print("|---|---|---|---|")
    row("held-out phrasings", inside, None, limit_of)
    row("outside", surprises(lambda _: outside.question(rng, True), "outside"), inside, limit_of)
    row("other things", surprises(lambda _: outside.another_thing(rng), "things"), inside, limit_of)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="../assets/shapes-vl-anchored")
    parser.add_argument("--limit", type=int, default=300, help="of each kind")
    options = parser.parse_args()
    model, processor = sinktrack.load(options.model, device="cpu")
    pictures(model, processor, options.limit)
    questions(model, processor, options.limit)


if __name__ == "__main__":
    main()
