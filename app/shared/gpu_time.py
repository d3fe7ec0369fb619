"""For how long a question needs a GPU that is lent: too short is cut, too long is refused.

The platform takes the time that is asked for off a visitor's daily quota before it lends anything.
Knows nothing about models or pages.
"""

import math
from collections import deque
from dataclasses import replace

from app.shared.request import Request
from app.shared.survey import Survey

# Measured on one H200 with a model of 7 billion weights, two methods and their traces, as
# docs/performance.md has it: 56 ms a step with a trace, 35 ms without; 1,000 tokens of prompt in
# 0.11 s at most. What a third method adds was not measured there: it is taken for half a trace's
# share, which is more than it adds on CPUs.
_STEP = 0.035
_STEP_OF_A_TRACE = 0.011  # for each method
_READ_A_THOUSAND = 0.11  # for two methods; likewise
# Not measured on such a Space: that takes one.
_START = 2.0
"""Seconds for a process and its weights to be there."""
_END = 0.5
"""Seconds for the files of an answer."""
_VISUAL = 0.3
"""Seconds to decode and encode a picture."""
_TOKENS_OF_A_VISUAL = 1300
_CHARACTERS_A_TOKEN = 3
_MARGIN = 1.2
_SLOWEST, _FASTEST = 8.0, 0.25
_FEWEST_STEPS = 16
"""From so many on a speed is believed."""
_FEWEST_TOKENS = 16
_ROWS_A_BATCH = 16
_LONGEST_SURVEY = 60
"""Seconds; a longer one is cut, and says how many questions were answered."""


class GpuTime:
    """Seconds that questions need, as measured elsewhere at first and then here."""

    def __init__(self) -> None:
        self._slowness: deque[float] = deque([1.0], maxlen=8)
        self._latest: Request | None = None

    def of_work(self, asked: Request | Survey) -> float:
        """Return for how many seconds the model itself works, with some to spare."""
        needed = _of_survey(asked) if isinstance(asked, Survey) else _of_request(asked)
        seconds = _MARGIN * max(self._slowness) * needed
        return min(seconds, _LONGEST_SURVEY) if isinstance(asked, Survey) else seconds

    def to_ask(self, asked: Request | Survey) -> int:
        """Return how many seconds to ask for."""
        return math.ceil(_START + self.of_work(asked) + _END)

    def saw(self, asked: Request | Survey, seconds: float, steps: int) -> None:
        """Learn from an answer that grows.

        Args:
            asked: What is answered.
            seconds: Since its first step that was seen.
            steps: Since then.
        """
        if isinstance(asked, Survey) or steps < _FEWEST_STEPS:
            return
        slowness = seconds / steps / _step(asked)
        if self._latest is asked:
            self._slowness.pop()  # the same answer, further on
        self._latest = asked
        self._slowness.append(min(_SLOWEST, max(_FASTEST, slowness)))

    def shorter(self, request: Request, seconds: int) -> Request | None:
        """Return the longest request of its kind that needs at most so many seconds.

        It has fewer tokens, or two methods, or both.

        Args:
            request: What was refused.
            seconds: How many can be asked for.
        """
        told = max((len(ids) for _, ids in request.beginnings), default=0)
        kept = [request.methods, request.methods[:2]] if not told else [request.methods]
        lengths = [request.max_new_tokens]
        while lengths[-1] // 2 >= max(_FEWEST_TOKENS, told + 1):
            lengths.append(lengths[-1] // 2)
        smaller = [
            replace(request, methods=methods, max_new_tokens=tokens)
            for methods in kept
            for tokens in lengths
        ]
        fitting = [each for each in smaller if each != request and self.to_ask(each) <= seconds]
        return max(fitting, key=self.of_work, default=None)


def _step(request: Request) -> float:
    return _STEP + _STEP_OF_A_TRACE * len(request.methods)


def _of_request(request: Request) -> float:
    texts = [request.system or ""]
    for asked in (*(each.asked for each in request.history), request.asked):
        texts += [asked.question, asked.passage or ""]
    texts += [each.answer for each in request.history]
    tokens = sum(map(len, texts)) / _CHARACTERS_A_TOKEN
    tokens += _TOKENS_OF_A_VISUAL * len(request.visuals)
    read = _VISUAL * len(request.visuals)
    read += _READ_A_THOUSAND * tokens / 1000 * len(request.methods) / 2
    return read + _step(request) * request.max_new_tokens


def _of_survey(survey: Survey) -> float:
    rows = len(survey.items) * len(survey.methods)
    visuals = sum(len(item.images) for item in survey.items)
    batches = math.ceil(rows / _ROWS_A_BATCH)
    read = _VISUAL * visuals + _READ_A_THOUSAND * rows / 2
    return read + batches * _STEP * survey.max_new_tokens
