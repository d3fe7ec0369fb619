"""The questions of the little world in the words that people use for them.

Each kind of question has many phrasings, of which every second one is kept from training, so that
it can be measured whether a model answers a question or recognises a sentence. Typing errors and
courtesies come on top. Knows nothing about scenes or answers.
"""

import random

PHRASINGS: dict[str, tuple[str, ...]] = {
    # The first of each kind are those that were always trained; see `_ALWAYS`.
    "existence": (
        "Is there a {noun}?",
        "Is there a {noun} in the picture?",
        "Is there a {noun} in the image?",
        "Do you see a {noun}?",
        "Can you see a {noun}?",
        "Can you find a {noun} here?",
        "Is a {noun} in the picture?",
        "Is a {noun} shown?",
        "Is a {noun} visible?",
        "Does the picture show a {noun}?",
        "Does the picture have a {noun}?",
        "Does the image contain a {noun}?",
        "Does the drawing include a {noun}?",
        "Are there any {nouns}?",
        "Are there any {nouns} in the picture?",
        "Are there {nouns} here?",
        "Do you see any {nouns}?",
        "Can you see {nouns} in the image?",
        "Any {nouns}?",
        "Any {noun} here?",
        "A {noun}?",
        "{noun}?",
        "Is there some {noun}?",
        "Is there at least one {noun}?",
        "Is one of the shapes a {noun}?",
        "Is one of these things a {noun}?",
        "Does a {noun} appear in the picture?",
        "Does a {noun} appear anywhere?",
        "Did somebody draw a {noun}?",
        "Has somebody drawn a {noun} here?",
        "There is a {noun}, right?",
        "There is a {noun} in it, isn't there?",
        "Is it true that there is a {noun}?",
        "Is it right that the picture shows a {noun}?",
        "Tell me whether there is a {noun}.",
        "Say if there is a {noun}.",
        "Yes or no: is there a {noun}?",
        "Yes or no, do you see a {noun}?",
        "Look for a {noun}. Is it there?",
        "I am looking for a {noun}. Is there one?",
    ),
    "count": (
        "How many {nouns} are there?",
        "How many {nouns} are in the picture?",
        "How many {nouns} do you see?",
        "How many {nouns} can you see?",
        "How many {nouns} does the picture show?",
        "How many {nouns} does it have?",
        "How many {nouns} are shown?",
        "How many {nouns} are here?",
        "How many {nouns}?",
        "Number of {nouns}?",
        "What is the number of {nouns}?",
        "What is the count of {nouns}?",
        "Count the {nouns}.",
        "Count all {nouns} in the picture.",
        "Can you count the {nouns}?",
        "Could you count how many {nouns} there are?",
        "Tell me how many {nouns} there are.",
        "Tell me the number of {nouns}.",
        "Say how many {nouns} you see.",
        "In the picture, how many {nouns} are there?",
        "I want to know how many {nouns} there are.",
        "Give me the number of {nouns} in the image.",
    ),
    "what is at": (
        "What is at {place}?",
        "What do you see at {place}?",
        "What is in {place}?",
        "What can be seen at {place}?",
        "What is there at {place}?",
        "What stands at {place}?",
        "What stands in {place}?",
        "What shape is at {place}?",
        "Which shape is at {place}?",
        "Which thing is in {place}?",
        "Which one is at {place}?",
        "What is drawn at {place}?",
        "What is shown in {place}?",
        "At {place}, what is there?",
        "In {place}, what do you see?",
        "Tell me what is at {place}.",
        "Say what you see at {place}.",
        "Is anything at {place}?",
        "Is there something in {place}?",
        "Name what is at {place}.",
        "Name the thing in {place}.",
        "Look at {place}. What is it?",
    ),
    "where is": (
        "Where is the {noun}?",
        "Where do you see the {noun}?",
        "Where can I find the {noun}?",
        "Where can the {noun} be found?",
        "Where in the picture is the {noun}?",
        "Where does the {noun} stand?",
        "Where's the {noun}?",
        "At which place is the {noun}?",
        "In which place do you see the {noun}?",
        "In which row and column is the {noun}?",
        "Which row and column is the {noun} in?",
        "What is the place of the {noun}?",
        "What is the position of the {noun}?",
        "Find the {noun}.",
        "Find the {noun} for me.",
        "Locate the {noun}.",
        "Show me the {noun}.",
        "Tell me where the {noun} is.",
        "Say where you see the {noun}.",
        "Do you know where the {noun} is?",
        "Can you tell where the {noun} is?",
        "I cannot find the {noun}. Where is it?",
    ),
    "relation": (
        "Is the {one} {asked} the {other}?",
        "Does the {one} stand {asked} the {other}?",
        "Can you see the {one} {asked} the {other}?",
        "Do you see the {one} {asked} the {other}?",
        "Is it true that the {one} is {asked} the {other}?",
        "Is it right that the {one} is {asked} the {other}?",
        "The {one} is {asked} the {other}, right?",
        "The {one} is {asked} the {other}, isn't it?",
        "Would you say that the {one} is {asked} the {other}?",
        "Tell me whether the {one} is {asked} the {other}.",
        "Say if the {one} is {asked} the {other}.",
        "Yes or no: is the {one} {asked} the {other}?",
        "In the picture, is the {one} {asked} the {other}?",
        "Looking at the {other}, is the {one} {asked} it?",
        "Is the {one} {either} the {other}?",
        "Does the {one} look {either} the {other}?",
        "Does the {one} stand {either} the {other}?",
        "Do you see the {one} {either} the {other}?",
        "Compared to the {other}, is the {one} {either} it?",
        "Which is right: is the {one} {either} the {other}?",
        "Tell me if the {one} is {either} the {other}.",
        "Say whether the {one} is {either} the {other}.",
    ),
    "size": (
        "Is the {noun} large or small?",
        "Is the {noun} small or large?",
        "Is the {noun} big or small?",
        "Is the {noun} small or big?",
        "How large is the {noun}?",
        "How big is the {noun}?",
        "What size is the {noun}?",
        "What size does the {noun} have?",
        "What is the size of the {noun}?",
        "Which size is the {noun}?",
        "Of which size is the {noun}?",
        "Size of the {noun}?",
        "The {noun}: large or small?",
        "The {noun}, is it big or small?",
        "Would you call the {noun} large or small?",
        "Is the {noun} one of the large or one of the small ones?",
        "Tell me the size of the {noun}.",
        "Tell me whether the {noun} is large or small.",
        "Say how large the {noun} is.",
        "Say if the {noun} is big or small.",
        "Does the {noun} look large or small?",
        "Did somebody draw the {noun} large or small?",
    ),
    "colour": (
        "What colour is the {shape}?",
        "What color is the {shape}?",
        "What colour does the {shape} have?",
        "What color does the {shape} have?",
        "Which colour is the {shape}?",
        "Which colour has the {shape}?",
        "What is the colour of the {shape}?",
        "What is the color of the {shape}?",
        "In which colour is the {shape}?",
        "In what colour is the {shape} drawn?",
        "Of which colour is the {shape}?",
        "Colour of the {shape}?",
        "The {shape}, what colour is it?",
        "The {shape} is of which colour?",
        "How is the {shape} coloured?",
        "How is the {shape} painted?",
        "Tell me the colour of the {shape}.",
        "Tell me what colour the {shape} is.",
        "Say which colour the {shape} has.",
        "Name the colour of the {shape}.",
        "Can you tell the colour of the {shape}?",
        "Do you know what colour the {shape} is?",
    ),
    "shape": (
        "What shape is the {colour} one?",
        "What shape is the {colour} thing?",
        "What shape does the {colour} thing have?",
        "What shape does the {colour} one have?",
        "Which shape is {colour}?",
        "Which thing is {colour}?",
        "What is {colour}?",
        "What is the {colour} thing?",
        "What is the {colour} shape?",
        "What is the shape of the {colour} thing?",
        "What is the form of the {colour} one?",
        "The {colour} one, what is it?",
        "The {colour} thing: what shape is it?",
        "What do you see in {colour}?",
        "What is drawn in {colour}?",
        "What has the colour {colour}?",
        "Tell me what is {colour}.",
        "Tell me the shape of the {colour} thing.",
        "Say what shape the {colour} one is.",
        "Name the {colour} shape.",
        "Can you tell what the {colour} thing is?",
        "Do you know what shape is {colour}?",
    ),
    "which": (
        "Which shapes are {colour}?",
        "Which things are {colour}?",
        "Which of the shapes are {colour}?",
        "Which {colour} shapes are there?",
        "Which {colour} things do you see?",
        "What {colour} shapes are there?",
        "What {colour} shapes do you see?",
        "What are the {colour} shapes?",
        "What are the {colour} things?",
        "What shapes are {colour}?",
        "Name the {colour} shapes.",
        "Name everything that is {colour}.",
        "Name all {colour} things.",
        "List the {colour} shapes.",
        "List all that is {colour}.",
        "Tell me which shapes are {colour}.",
        "Tell me all {colour} shapes.",
        "Say which things are {colour}.",
        "Everything that is {colour}?",
        "All {colour} shapes?",
    ),
    "more": (
        "Which picture has more {nouns}?",
        "Which picture shows more {nouns}?",
        "Which image has more {nouns}?",
        "Which of the two has more {nouns}?",
        "Which one has more {nouns}?",
        "Where are more {nouns}, in the first or the second picture?",
        "In which picture are there more {nouns}?",
        "In which picture do you see more {nouns}?",
        "Are there more {nouns} in the first or in the second picture?",
        "Does the first or the second picture have more {nouns}?",
        "Tell me which picture has more {nouns}.",
        "Compare the pictures: which has more {nouns}?",
    ),
    "shows": (
        "Which picture shows a {noun}?",
        "Which picture has a {noun}?",
        "Which image contains a {noun}?",
        "Which of the pictures shows a {noun}?",
        "In which picture is a {noun}?",
        "In which picture do you see a {noun}?",
        "In which of them is there a {noun}?",
        "Where is a {noun}, in the first or the second picture?",
        "Does the first or the second picture show a {noun}?",
        "Tell me which picture shows a {noun}.",
    ),
    "in one": (
        "Is there a {noun} in the {which} picture?",
        "Does the {which} picture show a {noun}?",
        "Do you see a {noun} in the {which} image?",
        "Does the {which} image have a {noun}?",
        "In the {which} picture, is there a {noun}?",
        "Can you see a {noun} in the {which} picture?",
    ),
    "describe": (
        "Describe the picture.",
        "Describe the image.",
        "What is in the picture?",
        "What do you see in the picture?",
        "What do you see?",
        "What can you see here?",
        "What does the picture show?",
        "What does the image show?",
        "What is shown?",
        "What is shown here?",
        "What is this?",
        "What is in this image?",
        "What is on the picture?",
        "What shapes are there?",
        "Which shapes are in the picture?",
        "Which things do you see?",
        "Tell me what you see.",
        "Tell me about the picture.",
        "Say what is in the picture.",
        "Name everything in the picture.",
        "List the shapes.",
        "List everything that you see.",
        "Give a description of the picture.",
        "Describe what you see.",
        "Please describe this.",
        "Explain what is shown.",
    ),
}
"""Phrasings by kind. "existence" takes {noun} or {nouns}, "relation" an {asked} or {either} way."""

_ALWAYS = {"existence": 4, "count": 2, "describe": 4}
"""How many of the first phrasings of a kind are trained in any case; one of every other kind."""

_COURTESIES = (
    "Please tell me: {}",
    "Hello! {}",
    "{} Thank you.",
    "{} Please answer.",
    "Excuse me, {}",
    "Hi, {}",
    "A question: {}",
    "{} Thanks!",
)


def phrasings(kind: str, held_out: bool = False) -> tuple[str, ...]:
    """Return the phrasings of a kind that are trained, or those that are kept from training."""
    always = _ALWAYS.get(kind, 1)
    known, others = PHRASINGS[kind][:always], PHRASINGS[kind][always:]
    return others[::2] if held_out else (*known, *others[1::2])


def courtesies(held_out: bool = False) -> tuple[str, ...]:
    """Return words around a question that are trained, or those that are kept from training."""
    return _COURTESIES[int(held_out) :: 2]


def as_typed(rng: random.Random, text: str, held_out: bool = False) -> str:
    """Return a question as people type it: with courtesies, small letters, without its mark."""
    chance = rng.random()
    if chance < 0.15:
        around = rng.choice(courtesies(held_out))
        text = around.format(text if around.startswith("{") else text[0].lower() + text[1:])
    if rng.random() < 0.15:
        text = text.lower()
    if rng.random() < 0.15:
        text = text.rstrip("?.")
    if rng.random() < 0.1:
        text = mistyped(rng, text)
    return text


def mistyped(rng: random.Random, text: str) -> str:
    """Return a text with one typing error inside a word of four letters or more.

    The first and the last letter stay, so that a word remains the one that it is.
    """
    words = text.split(" ")
    long = [at for at, word in enumerate(words) if len(word) >= 5 and word.isalpha()]
    if not long:
        return text
    at = rng.choice(long)
    word, place = words[at], rng.randrange(1, len(words[at]) - 2)
    words[at] = rng.choice(
        (
            word[:place] + word[place + 1] + word[place] + word[place + 2 :],  # two letters swapped
            word[:place] + word[place + 1 :],  # one left out
            word[:place] + word[place] + word[place:],  # one twice
        )
    )
    return " ".join(words)
