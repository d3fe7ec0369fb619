"""Questions about a scene as people ask them: in many phrasings, in two parts, one after another.

What is right is what `sinktrack.shapes.questions` says; here are the words, and the kinds of
questions that people ask besides.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from sinktrack.core.errors import listed
from sinktrack.shapes.comparisons import (
    alone,
    beside,
    colours,
    counted_names,
    larger,
    line,
    more_than_one,
    of_colour,
    of_shape,
    sized,
)
from sinktrack.shapes.long_answers import companions_last
from sinktrack.shapes.questions import (
    NUMBERS,
    PLACES,
    RELATIONS,
    Question,
    absent_kind,
    cell_name,
    countable,
    existence_answer,
    kind_to_ask_for,
    matching,
    plural,
    single_items,
)
from sinktrack.shapes.scenes import COLOURS, GRID, SHAPES, SIZES, Item, Scene
from sinktrack.shapes.words import as_typed, said

EITHER = {"left of": "left or right of", "above": "above or below"}
_CORNERS = tuple(name for name in PLACES if name != "centre")
_THINGS = ("shape", "thing", "object")


def everyday(
    rng: random.Random, scene: Scene, kind: str, held_out: bool = False
) -> Question | None:
    """Ask a question of a kind in one of its phrasings.

    Args:
        rng: The random generator.
        scene: What is asked about.
        kind: One of `KINDS_ASKED`.
        held_out: Whether the phrasing is one that is kept from training.

    Returns:
        The question, or None where the scene admits none of the kind, such as a relation of one
        shape.
    """
    question = KINDS_ASKED[kind](rng, scene, held_out)
    if question is None:
        return None
    return replace(question, text=as_typed(rng, question.text, held_out))


Asks = Callable[[random.Random, Scene, bool], Question | None]


_MISTAKEN = 0.1
"""How often somebody asks about what is not there, or about one of several."""


def _several(rng: random.Random, scene: Scene) -> list[Item]:
    """Return the things of a shape of which there are several, if there is such a shape."""
    found = [matching(scene, (None, shape)) for shape in SHAPES]
    return rng.choice([items for items in found if len(items) > 1] or [[]])


def _name(rng: random.Random, scene: Scene, item: Item) -> str:
    """Return a name of a thing by which it is meant alone, mostly its colour and shape."""
    return str(item.kind) if rng.random() < 0.6 else rng.choice(alone(scene, item))


def _existence(rng: random.Random, scene: Scene, held_out: bool) -> Question:
    present = rng.random() < 0.5
    if rng.random() < 0.3:  # a shape of any colour, or a colour of any shape
        shown = {name for kind in scene.kinds for name in kind}
        names = [*SHAPES, *COLOURS]
        name = rng.choice([each for each in names if (each in shown) == present] or names)
        noun, present = (name if name in SHAPES else f"{name} shape"), name in shown
    else:
        noun = str(kind_to_ask_for(rng, scene, present, rng.choice(("random", "near"))))
    text = said(rng, "existence", held_out, noun=noun, nouns=plural(noun))
    return Question("existence", text, existence_answer(noun, present))


def _count(rng: random.Random, scene: Scene, held_out: bool) -> Question:
    noun, number = countable(rng, scene)
    if rng.random() < 0.2:
        size = rng.choice(SIZES)
        noun, number = f"{size} shape", sum(item.size == size for item in scene.items)
    asked = noun[: -len("shape")] + rng.choice(_THINGS) if noun.endswith("shape") else noun
    text = said(rng, "count", held_out, nouns=plural(asked))
    return Question("count", text, number_of(noun, number))


def number_of(noun: str, number: int) -> str:
    """Say how many there are."""
    if number == 1:
        return f"There is one {noun}."
    return f"There are {NUMBERS[number]} {plural(noun)}."


def _what_is_at(rng: random.Random, scene: Scene, held_out: bool) -> Question:
    if rng.random() < 0.7:
        row, column = rng.choice(scene.items)[:2]
    else:
        row, column = rng.randrange(GRID), rng.randrange(GRID)
    place = next((name for name, cell in PLACES.items() if cell == (row, column)), None)
    if place is None and rng.random() < 0.3:
        place, (row, column) = rng.choice(sorted(PLACES.items()))
    asked = answered = cell_name(row, column)
    if place is not None and rng.random() < 0.8:
        answered = f"the {place}"
        names = [place, f"{place} corner"] if place in _CORNERS else [place, "center", "middle"]
        asked = f"the {rng.choice(names)}"
    elif rng.random() < 0.4:
        asked = f"row {row + 1} column {column + 1}"
    kind = scene.at(row, column)
    answer = f"Nothing is at {answered}." if kind is None else f"A {kind} is at {answered}."
    return Question("what is at", said(rng, "what is at", held_out, place=asked), answer)


def _where_is(rng: random.Random, scene: Scene, held_out: bool) -> Question:
    single = single_items(scene)
    several = _several(rng, scene)
    if several and rng.random() < _MISTAKEN:
        shape = several[0].kind.shape
        places = listed([f"at {cell_name(item.row, item.column)}" for item in several])
        text = said(rng, "where is", held_out, noun=shape)
        return Question("where is", text, f"The {plural(shape)} are {places}.")
    if not single or rng.random() < _MISTAKEN:
        absent = absent_kind(rng, scene)
        text = said(rng, "where is", held_out, noun=str(absent))
        return Question("where is", text, f"There is no {absent}.")
    item = rng.choice(single)
    answer = f"The {item.kind} is at {cell_name(item.row, item.column)}."
    text = said(rng, "where is", held_out, noun=_name(rng, scene, item))
    return Question("where is", text, answer)


def _relation(rng: random.Random, scene: Scene, held_out: bool) -> Question | None:
    single = single_items(scene)
    pairs = [(one, other, "above") for one in single for other in single if one.row < other.row]
    pairs += [
        (one, other, "left of") for one in single for other in single if one.column < other.column
    ]
    if not pairs:
        return None
    if rng.random() < _MISTAKEN:
        absent = absent_kind(rng, scene, "near")
        first, second = rng.sample([str(absent), str(rng.choice(single).kind)], 2)
        asked = rng.choice([*RELATIONS, *RELATIONS.values()])
        text = said(rng, "relation", held_out, one=first, other=second, asked=asked)
        return Question("relation", text, f"There is no {absent}.")
    one, other, way = rng.choice(pairs)
    holds, opposite = way, RELATIONS[way]
    if rng.random() < 0.5:
        one, other, holds, opposite = other, one, opposite, holds
    names = {"one": _name(rng, scene, one), "other": _name(rng, scene, other)}
    answer = f"the {one.kind} is {holds} the {other.kind}."
    if rng.random() < 0.5:
        asked = rng.choice((holds, opposite))
        text = said(rng, "relation", held_out, asked=asked, **names)
        return Question("relation", text, f"{'Yes' if asked == holds else 'No'}, {answer}")
    text = said(rng, "relation", held_out, either=EITHER[way], **names)
    return Question("relation", text, answer[0].upper() + answer[1:])


def _size(rng: random.Random, scene: Scene, held_out: bool) -> Question | None:
    single, several = single_items(scene), _several(rng, scene)
    if several and rng.random() < _MISTAKEN:
        shape = several[0].kind.shape
        sizes = listed(list(dict.fromkeys(item.size for item in several)))
        text = said(rng, "size", held_out, noun=shape)
        return Question("size", text, f"The {plural(shape)} are {sizes}.")
    if not single or rng.random() < _MISTAKEN:
        absent = absent_kind(rng, scene, "near")
        text = said(rng, "size", held_out, noun=str(absent))
        return Question("size", text, f"There is no {absent}.")
    item = rng.choice(single)
    text = said(rng, "size", held_out, noun=_name(rng, scene, item))
    return Question("size", text, f"The {item.kind} is {item.size}.")


def _colour(rng: random.Random, scene: Scene, held_out: bool) -> Question | None:
    """Ask for the colour of a shape of which there is one, or now and then none."""
    several = _several(rng, scene)
    if several and rng.random() < _MISTAKEN:
        shape = several[0].kind.shape
        names = listed(list(dict.fromkeys(item.kind.colour for item in several)))
        text = said(rng, "colour", held_out, shape=shape)
        return Question("colour", text, f"The {plural(shape)} are {names}.")
    counted = Counter(item.kind.shape for item in scene.items)
    once = [item for item in scene.items if counted[item.kind.shape] == 1]
    absent = [shape for shape in SHAPES if shape not in counted]
    if absent and (not once or rng.random() < 0.1):
        shape = rng.choice(absent)
        return Question(
            "colour", said(rng, "colour", held_out, shape=shape), f"There is no {shape}."
        )
    if not once:
        return None
    kind = rng.choice(once).kind
    text = said(rng, "colour", held_out, shape=kind.shape)
    return Question("colour", text, f"The {kind.shape} is {kind.colour}.")


def _shape(rng: random.Random, scene: Scene, held_out: bool) -> Question | None:
    """Ask for the shape of a colour of which there is one, or now and then none."""
    counted = Counter(item.kind.colour for item in scene.items)
    several = [colour for colour, number in counted.items() if number > 1]
    if several and rng.random() < _MISTAKEN:
        colour = rng.choice(several)
        text = said(rng, "shape", held_out, colour=colour)
        return Question("shape", text, _listed(scene, colour))
    once = [item for item in scene.items if counted[item.kind.colour] == 1]
    absent = [colour for colour in COLOURS if colour not in counted]
    if absent and (not once or rng.random() < 0.1):
        colour = rng.choice(absent)
        text = said(rng, "shape", held_out, colour=colour)
        return Question("shape", text, f"There is no {colour} shape.")
    if not once:
        return None
    kind = rng.choice(once).kind
    text = said(rng, "shape", held_out, colour=kind.colour)
    return Question("shape", text, f"The {kind.colour} shape is a {kind.shape}.")


def _which(rng: random.Random, scene: Scene, held_out: bool) -> Question:
    shown = sorted({kind.colour for kind in scene.kinds})
    colour = rng.choice(shown) if rng.random() < 0.85 else rng.choice(sorted(COLOURS))
    text = said(rng, "which", held_out, colour=colour)
    return Question("which", text, _listed(scene, colour))


def _listed(scene: Scene, colour: str) -> str:
    """Name the shapes of a colour in reading order, with their numbers."""
    shapes = [item.kind.shape for item in matching(scene, (colour, None))]
    names = counted_names(shapes)
    if not names:
        return f"There is no {colour} shape."
    if len(shapes) == 1:
        return f"The {colour} shape is {names[0]}."
    return f"The {colour} shapes are {listed(names)}."


def _describe(rng: random.Random, scene: Scene, held_out: bool) -> Question:
    answer = " ".join(f"There is a {item}." for item in companions_last(scene))
    return Question("describe", said(rng, "describe", held_out), answer)


_SHORT: tuple[Asks, ...] = (_existence, _count, _where_is, _size, _colour, _shape)
_JOINED = (("{}, and {}?", "{} and {}?"), ("{}, and also {}?", "{}? And {}?"))
"""How two questions become one, trained and kept from training."""


def _two_parts(rng: random.Random, scene: Scene, held_out: bool) -> Question | None:
    """Ask two short questions at once; the answers follow each other."""
    parts: list[Question] = []
    for ask in rng.sample(_SHORT, len(_SHORT)):
        question = ask(rng, scene, held_out)
        if question is not None and question.text.endswith("?"):
            parts.append(question)
        if len(parts) == 2:
            first, second = (each.text.removesuffix("?") for each in parts)
            second = second[0].lower() + second[1:]
            text = rng.choice(_JOINED[held_out]).format(first, second)
            return Question("two parts", text, " ".join(each.answer for each in parts))
    return None


_AGAIN = (
    ("And the {}?", "And what about the {}?", "And a {}?"),
    ("What about the {}?", "How about a {}?", "Now the {}?"),
)
"""How people ask the same of something else, trained and kept from training."""


def _follow_up(rng: random.Random, scene: Scene, held_out: bool) -> Question | None:
    """Ask for existence, place, size or number of one kind, and then of another one."""
    kinds = rng.sample(sorted(scene.kinds), min(2, len(scene.kinds)))
    if len(kinds) < 2 or rng.random() < 0.4:
        kinds = [kinds[0], absent_kind(rng, scene, "near")]
        rng.shuffle(kinds)
    about = rng.choice((_is_there, _number, _place, _extent))
    first, second = kinds
    asked, then = (about(str(kind), matching(scene, kind)) for kind in kinds)
    if asked is None or then is None:
        return None
    same = second.shape == first.shape
    noun = f"{second.colour} one" if same and rng.random() < 0.7 else str(second)
    again = rng.choice(_AGAIN[held_out]).format(noun)
    return Question("follow-up", again, then[1], (asked,))


def _is_there(noun: str, items: Sequence[Item]) -> tuple[str, str] | None:
    return f"Is there a {noun}?", existence_answer(noun, bool(items))


def _number(noun: str, items: Sequence[Item]) -> tuple[str, str] | None:
    return f"How many {plural(noun)} are there?", number_of(noun, len(items))


def _place(noun: str, items: Sequence[Item]) -> tuple[str, str] | None:
    if len(items) > 1:
        return None
    where = [f"The {noun} is at {cell_name(item.row, item.column)}." for item in items]
    return f"Where is the {noun}?", where[0] if where else f"There is no {noun}."


def _extent(noun: str, items: Sequence[Item]) -> tuple[str, str] | None:
    if len(items) > 1:
        return None
    size = [f"The {noun} is {item.size}." for item in items]
    return f"Is the {noun} large or small?", size[0] if size else f"There is no {noun}."


def two_pictures(
    rng: random.Random, first: Scene, second: Scene, held_out: bool = False
) -> Question:
    """Ask about two pictures: which has more of something, which shows it, what is in one."""
    scenes = {"first": first, "second": second}
    kind = rng.choice(sorted(first.kinds | second.kinds))
    if rng.random() < 0.4:
        noun, wanted = rng.choice(
            ((kind.shape, (None, kind.shape)), ("shape", (None, None)), (str(kind), kind))
        )
        numbers = {name: len(matching(scene, wanted)) for name, scene in scenes.items()}
        text = said(rng, "more", held_out, nouns=plural(noun))
        answer = f"Both pictures have equally many {plural(noun)}."
        if numbers["first"] != numbers["second"]:
            more = max(numbers, key=lambda name: numbers[name])
            answer = f"The {more} picture has more {plural(noun)}."
    elif rng.random() < 0.5:
        showing = [name for name, scene in scenes.items() if kind in scene.kinds]
        text = said(rng, "shows", held_out, noun=str(kind))
        answer = f"The {showing[0]} picture shows a {kind}."
        if len(showing) == 2:
            answer = f"Both pictures show a {kind}."
    else:
        which = rng.choice(sorted(scenes))
        text = said(rng, "in one", held_out, noun=str(kind), which=which)
        answer = existence_answer(str(kind), kind in scenes[which].kinds)
    return Question("two pictures", as_typed(rng, text, held_out), answer)


KINDS_ASKED: dict[str, Asks] = {
    "existence": _existence,
    "count": _count,
    "what is at": _what_is_at,
    "where is": _where_is,
    "relation": _relation,
    "size": _size,
    "colour": _colour,
    "shape": _shape,
    "which": _which,
    "of colour": of_colour,
    "of shape": of_shape,
    "more than one": more_than_one,
    "colours": colours,
    "sizes": sized,
    "larger": larger,
    "beside": beside,
    "line": line,
    "describe": _describe,
    "two parts": _two_parts,
    "follow-up": _follow_up,
}
