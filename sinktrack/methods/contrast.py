"""Methods that contrast two prompts: what a context adds is what the answer should be made of.

Each writes with the prompt itself, and takes away what the same model says to a counterpart of it,
which lacks the context. Every counterpart is fed the token that was chosen.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from sinktrack.core.errors import PromptError
from sinktrack.core.intervention import Hooks, Intervention, Lens, parameter, plausible
from sinktrack.core.messages import clean_text
from sinktrack.core.parts import PromptParts
from sinktrack.core.prompt import Prompt

ALPHA = "How much more the answer follows the prompt than its counterpart; 0 contrasts nothing."
BETA = "Forbids tokens below this share of the likeliest one's probability; 0 forbids none."


class Contrast(Hooks):
    """Chooses from main + weight * (main - counterpart), among what the main row finds plausible.

    Logits are subtracted and not their logarithms of probabilities, which differ from them by one
    number for all tokens, so that the distribution is the same.
    """

    act_at: Collection[int] | None = ()

    def __init__(self, alpha: float, beta: float) -> None:
        """Take the weight and the mask's share."""
        super().__init__()
        self._alpha, self._beta = alpha, beta
        self.token = 0
        """The number of the token that is being chosen, 1 for the answer's first one."""

    def logits(self, logits: torch.Tensor, lens: Lens) -> torch.Tensor:
        """Contrast the rows (P, 2, V), or cut the one (P, 1, V) by itself."""
        self.token += 1
        main, other = logits[:, 0], logits[:, -1]
        weight = self.weight(main, other)
        return plausible(main + weight * (main - other), main, self._beta)

    def weight(self, main: torch.Tensor, other: torch.Tensor) -> Any:
        """Return how much of the difference is added, a number or float32 (P, 1)."""
        return self._alpha


@dataclass(frozen=True, kw_only=True)
class Contrastive(Intervention):
    """A method that contrasts its prompt with one counterpart."""

    rows: ClassVar[int] = 2
    alpha: float = parameter(1.0, ALPHA, low=0.0, high=10.0)
    beta: float = parameter(0.1, BETA, low=0.0, high=1.0)

    def prompts(self, prompt: Prompt) -> list[Prompt]:
        """Return the prompt and its counterpart."""
        return [prompt, self.counterpart(prompt)]

    def counterpart(self, prompt: Prompt) -> Prompt:
        """Return the prompt whose answer is taken away; here that without a picture."""
        return prompt.without("image")

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Contrast both rows."""
        return Contrast(self.alpha, self.beta)


@dataclass(frozen=True, kw_only=True)
class VCD(Contrastive):
    """Contrasts the answer with one to the same picture under noise.

    Leng et al. 2024 and their public code DAMO-NLP-SG/VCD: the evaluation scripts' alpha 1, beta
    0.1 and 500 steps. Its published gains are for sampling at temperature 1.
    """

    kind: ClassVar[str] = "vcd"
    source: ClassVar[str] = "https://arxiv.org/abs/2311.16922"
    needs: ClassVar[str] = "image"
    noise_step: int = parameter(
        500, "How far the picture is diffused, of 1,000 steps.", low=0, high=999
    )
    seed: int = parameter(0, "Of the noise.", low=0, high=2**31 - 1)

    def counterpart(self, prompt: Prompt) -> Prompt:
        """Return the prompt with noise on every picture."""
        rng = torch.Generator().manual_seed(self.seed)
        noised = {
            name: diffused(values, self.noise_step, rng)
            for name, values in prompt.inputs.items()
            if name.startswith("pixel_values")
        }
        return replace(prompt, inputs={**prompt.inputs, **noised})


def diffused(pixels: torch.Tensor, step: int, rng: torch.Generator) -> torch.Tensor:
    """Return normalised pixels after some steps of the forward diffusion that VCD uses.

    Args:
        pixels: Normalised pixels of any shape. Qwen's patches, (patches, 3 * 2 * size * size), hold
            a picture twice in time; both copies get the same noise, which would average away else.
        step: From 0 to 999.
        rng: Draws the noise.
    """
    ramp = torch.linspace(-6, 6, 1000).sigmoid() * (0.5e-2 - 1e-5) + 1e-5
    kept = float((1 - ramp).cumprod(0)[step])
    noise = torch.randn(pixels.shape, generator=rng)
    if pixels.ndim == 2:  # patches: channels, frames, rows and columns of one patch in a line
        frames = noise.view(len(pixels), 3, 2, -1)
        if torch.equal(*pixels.view(len(pixels), 3, 2, -1).unbind(2)):
            noise = frames[:, :, :1].expand_as(frames).reshape(pixels.shape)
    noised: torch.Tensor = kept**0.5 * pixels + (1 - kept) ** 0.5 * noise
    return noised.to(pixels.dtype)


def _check_disturbance(text: Any) -> str | None:
    try:
        clean_text(text, "disturbance", 300)
    except PromptError:
        return "must be a text of 1 to 300 characters"
    return None


@dataclass(frozen=True, kw_only=True)
class ICD(Contrastive):
    """Contrasts the answer with one to an instruction that confuses the model.

    Wang et al. 2024. Text and place are those of SID's code, huofushuo/SID, which most comparisons
    use; the authors' own p1k0pan/ICD puts a longer text in the place of the system prompt.
    """

    kind: ClassVar[str] = "icd"
    source: ClassVar[str] = "https://arxiv.org/abs/2403.18715"
    place: str = parameter(
        "question",
        "Whether the counterpart reads it before the question, or as its system prompt.",
        choices=("question", "system"),
    )
    disturbance: str = parameter(
        "You are a confused object detector.",
        "What confuses the counterpart.",
        check=_check_disturbance,
        takes="a text of 1 to 300 characters",
    )

    def __post_init__(self) -> None:
        """Check every parameter, and clean the text as a question is."""
        super().__post_init__()
        object.__setattr__(self, "disturbance", clean_text(self.disturbance, "disturbance"))

    def counterpart(self, prompt: Prompt) -> Prompt:
        """Return the prompt with the disturbance."""
        if self.place == "system":
            return prompt.told(self.disturbance)
        return prompt.saying(before=f"{self.disturbance} ")


@dataclass(frozen=True, kw_only=True)
class LCD(Contrastive):
    """Contrasts the answer with one without the picture, more where that one is sure of itself.

    Manevich and Tsarfaty 2024, and their public code avshalomman/lcd: the weight is alpha over the
    entropy, in nats, of the counterpart's next token. There the counterpart is the language model
    before it learned to see; here it is the same model without a picture.
    """

    kind: ClassVar[str] = "lcd"
    source: ClassVar[str] = "https://arxiv.org/abs/2408.04664"
    needs: ClassVar[str] = "image"
    alpha: float = parameter(2.0, ALPHA, low=0.0, high=10.0)
    entropy: bool = parameter(True, "Whether alpha is divided by the counterpart's entropy.")

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Contrast both rows."""
        return (_ByEntropy if self.entropy else Contrast)(self.alpha, self.beta)


class _ByEntropy(Contrast):
    def weight(self, main: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return alpha / H, float32 (P, 1)."""
        entropy = torch.special.entr(other.softmax(-1)).sum(-1, keepdim=True)
        weight: torch.Tensor = self._alpha / entropy.clamp(min=1e-6)  # it may be certain
        return weight


@dataclass(frozen=True, kw_only=True)
class M3ID(Intervention):
    """Contrasts the answer with one without the picture, more with every token.

    Favero et al. 2024. The weight of token t is (1 - g) / g with g = exp(-decay * t), and nothing
    is contrasted where the likeliest token has more than the threshold. Two implementations differ:
    zifuwan/ONLY has decay 0.02, counts from 0 and masks by beta 0.1 without a threshold; that of
    CRoPS has decay 0.01, counts from 1 and a threshold of 0.95 without a mask.
    """

    kind: ClassVar[str] = "m3id"
    source: ClassVar[str] = "https://arxiv.org/abs/2403.14003"
    needs: ClassVar[str] = "image"
    rows: ClassVar[int] = 2
    decay: float = parameter(0.02, "How fast the weight grows; 0 is off.", low=0.0, high=1.0)
    first: int = parameter(
        1, "The number of the answer's first token; 0 leaves it unchanged.", low=0, high=1
    )
    threshold: float = parameter(
        0.95, "Above this probability of a token nothing is contrasted.", low=0.0, high=1.0
    )
    beta: float = parameter(0.0, BETA, low=0.0, high=1.0)

    def prompts(self, prompt: Prompt) -> list[Prompt]:
        """Return the prompt, and the same without its picture."""
        return [prompt, prompt.without("image")]

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Contrast both rows."""
        return _Growing(self)


class _Growing(Contrast):
    def __init__(self, method: M3ID) -> None:
        super().__init__(0.0, method.beta)
        self._method = method

    def weight(self, main: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return (1 - g) / g, float32 (P, 1), 0 where the main row is sure."""
        token = self.token - 1 + self._method.first
        sure = main.softmax(-1).amax(-1, keepdim=True) > self._method.threshold
        return growing(self._method.decay, token) * (~sure).float()


def growing(decay: float, token: int) -> float:
    """Return M3ID's weight (1 - g) / g of a token, with g = exp(-decay * token)."""
    return math.expm1(min(decay * token, 60.0))  # float32 ends at 88


@dataclass(frozen=True, kw_only=True)
class CAD(Contrastive):
    """Contrasts the answer with one to the question without its passage.

    Shi et al. 2024, and xhan77/context-aware-decoding: alpha 0.5 for summaries, 1 where passage and
    memory disagree, and no mask.
    """

    kind: ClassVar[str] = "cad"
    source: ClassVar[str] = "https://arxiv.org/abs/2305.14739"
    alpha: float = parameter(0.5, ALPHA, low=0.0, high=10.0)
    beta: float = parameter(0.0, BETA, low=0.0, high=1.0)
    context: str = parameter(
        "passage",
        "Which part of the prompt its counterpart lacks.",
        choices=("passage", "image", "system", "history"),
    )

    @property
    def needs(self) -> str:
        """The part that is left out."""
        return self.context

    def counterpart(self, prompt: Prompt) -> Prompt:
        """Return the prompt without its context."""
        return prompt.without(self.context)
