"""More words around a trained question than any list of phrasings holds.

Who has met a few frames learns them by heart: behind "Thanks!" or "I want to know" it takes a
question of the little world for one from outside. Frames are put around questions of both worlds,
so that none tells them apart. None of them, and nothing they make, is kept from training elsewhere.
"""

import random

_SAYING = ("Tell me ", "Say ")
"""How phrasings begin that ask to be told something."""
_ASKED = (
    *("Let me know", "I would like to know", "I need to know", "Please say", "Please tell me"),
    *("Explain to me", "Now tell me", "Quickly, tell me", "Help me and say", "I have to know"),
)
_ASKING = ("Can you tell me", "Could you say", "Do you know", "Will you tell me", "Can you say")
"""The same as questions."""

_BEFORE = (
    *("Good morning!", "Dear model,", "Hey,", "Listen:", "One more thing:", "So,", "Well,", "Ok,"),
    *("I have a question.", "My question is this:", "Here is a question:", "Look closely.", "And"),
    *("Can you help me?", "Take a good look:", "For my homework:", "My daughter asks:", "Next:"),
    *("Just wondering,", "Be honest:", "Think first.", "Be quick:", "In your view,", "Right,"),
)
_BEHIND = (
    *("I am curious.", "Do you know?", "Be brief.", "In one sentence.", "Take your time.", "Ok?"),
    *("Thank you very much!", "Many thanks.", "Please.", "That is all.", "I cannot see it myself."),
    *("What do you think?", "Be precise.", "I need it for a report.", "Answer in English.", "Hm?"),
)


def in_other_words(rng: random.Random, text: str) -> str:
    """Return a question as somebody else would put it; half of them as they are."""
    if rng.random() < 0.5:
        return text
    lead = next((each for each in _SAYING if text.startswith(each)), None)
    if lead is not None and rng.random() < 0.7:
        rest = text.removeprefix(lead)
        if rng.random() < 0.5:
            return f"{rng.choice(_ASKED)} {rest}"
        return f"{rng.choice(_ASKING)} {rest.removesuffix('.')}{'?' * rest.endswith('.')}"
    if rng.random() < 0.5:
        return f"{text} {rng.choice(_BEHIND)}"
    before = rng.choice(_BEFORE)
    small = text[0].lower() + text[1:] if before[-1] in ",:" else text
    return f"{before} {small}"
