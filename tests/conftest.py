"""Small models that every test can afford, and the comparison that all numerics go through."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pytest
import torch

if not torch.cuda.is_available():
    # before anything imports Triton, so that kernels run here
    os.environ["TRITON_INTERPRET"] = "1"

import transformers
from paths import CHECKPOINT, DATA
from safetensors import safe_open
from small_models import FAMILIES, small_inputs, small_model

import sinktrack

# Two workers on two cores: more threads a worker only wait for each other.
torch.set_num_threads(1)


def pytest_report_header() -> str:
    """Say which versions the results are of."""
    names = ("torch", "transformers", "accelerate", "huggingface_hub", "gradio", "pillow")
    return ", ".join(f"{name} {version(name)}" for name in names)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let slow tests be asked for."""
    parser.addoption("--slow", action="store_true", help="run what takes minutes as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip slow tests unless asked for, and say why."""
    for item in items:
        slow = item.get_closest_marker("slow")
        if slow is not None and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason=f"{slow.kwargs['reason']}; run with --slow"))


@dataclass(frozen=True)
class Reference:
    """One family's vectors: the public code's outputs for a small random model."""

    model: Any
    inputs: dict[str, torch.Tensor]
    expected: dict[str, torch.Tensor]


def load_reference(family: str) -> Reference:
    config_name, model_name = FAMILIES[family]
    with safe_open(DATA / f"{family}.safetensors", framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        meta = json.loads(file.metadata()["meta"])
    model = getattr(transformers, model_name)(
        getattr(transformers, config_name)(**meta["config"])
    ).eval()
    model.load_state_dict(
        {
            name.removeprefix("weights/").replace("vision_tower.vision_model.", "vision_tower."): w
            for name, w in tensors.items()
            if name.startswith("weights/")
        }
    )
    inputs = {n.removeprefix("inputs/"): t for n, t in tensors.items() if n.startswith("inputs/")}
    inputs["input_ids"] = tensors["input_ids"]
    if family == "qwen2_5_vl":
        inputs["mm_token_type_ids"] = (inputs["input_ids"] == 310).int()
    return Reference(model, inputs, tensors)


@pytest.fixture(params=["qwen2_5_vl", "qwen2", "llama", "gemma3"])
def reference(request: pytest.FixtureRequest) -> Reference:
    return load_reference(request.param)


@pytest.fixture(params=sorted(FAMILIES))
def family(request: pytest.FixtureRequest) -> tuple[Any, Callable[..., dict[str, torch.Tensor]]]:
    """A small random model of each family, and a function that makes prompts for it."""
    model = small_model(request.param)
    return model, lambda **options: small_inputs(model, **options)


@pytest.fixture(scope="session")
def checkpoint() -> tuple[Any, Any]:
    """The bundled model and its processor."""
    return sinktrack.load(CHECKPOINT, device="cpu")


@pytest.fixture
def close() -> Callable[..., None]:
    """Fail unless two tensors agree to a tolerance, printing how far apart they are."""

    def check(actual: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
        assert actual.shape == expected.shape, f"{actual.shape} is not {expected.shape}"
        if actual.numel() == 0:
            return
        difference = (actual.double() - expected.double()).abs()
        print(f"max {difference.max():.2e} mean {difference.mean():.2e}", file=sys.stderr)
        assert difference.max() <= tolerance, f"max {difference.max():.2e} > {tolerance:.0e}"

    return check
