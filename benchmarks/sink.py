"""What the first token is in a checkpoint: `python sink.py`.

Over the descriptions of test scenes, layer by layer: the mean attention on the first token while
the answer is written, the share of each head's output that came from there, the first token's
squared value norm and its residual norm in units of the mean over the prompt.
"""

import argparse
import sys
from typing import Any

import torch
from tqdm import tqdm

import sinktrack
from sinktrack.core.architecture import decoder_layers
from sinktrack.core.images import load_picture
from sinktrack.core.prompt import build_prompt
from sinktrack.eval.tasks.shapes import DESCRIPTIONS


@torch.inference_mode()
def norms(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return float32 (L, 2): squared value norm and residual norm of the first token, relative."""
    states = model(**inputs, output_hidden_states=True).hidden_states
    found = []
    for layer, entering in zip(decoder_layers(model), states, strict=False):
        value = layer.self_attn.v_proj(layer.input_layernorm(entering)).pow(2).sum(-1)[0]
        residual = entering.norm(dim=-1)[0]
        found.append(torch.stack([value[0] / value.mean(), residual[0] / residual.mean()]))
    return torch.stack(found)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="../assets/shapes-vl")
    parser.add_argument("--limit", type=int, default=100, help="scenes")
    options = parser.parse_args()
    model, processor = sinktrack.load(options.model, device="cpu")
    methods = {"baseline": None, "sinktrack": sinktrack.SinkTrack.for_model(model)}
    sums: dict[str, torch.Tensor] = {}
    tokens = 0
    for item in tqdm(DESCRIPTIONS[0].items("test", options.limit), total=options.limit):
        [image] = item.images
        prompt = build_prompt(model, processor, item.question, [load_picture(image())])
        sums["norms"] = sums.get("norms", 0) + norms(model, prompt.inputs)
        both = sinktrack.compare(
            model, processor, image=image(), question=item.question, methods=methods
        )
        for name, answer in both.items():
            for kind in ("sink", "delivered"):
                measured = getattr(answer.trace, kind).mean(2).sum(0)
                key = f"{kind} {name}"
                sums[key] = sums.get(key, 0) + measured
            sums[f"tokens {name}"] = sums.get(f"tokens {name}", 0) + torch.tensor(
                float(len(answer.token_ids))
            )
        tokens += len(both["baseline"].token_ids)
    print(f"{model.name_or_path}, {options.limit} scenes, {tokens} tokens, ", end="")
    print(f"torch {torch.__version__}, Python {sys.version.split()[0]}\n")
    columns = [f"{kind} {name}" for name in methods for kind in ("sink", "delivered")]
    print("| layer | " + " | ".join(columns) + " | value norm² | residual norm |")
    print("|---" * (len(columns) + 3) + "|")
    relative = sums["norms"] / options.limit
    for layer in range(len(relative)):
        row = [sums[name][layer] / sums[f"tokens {name.split()[1]}"] for name in columns]
        row += relative[layer].tolist()
        print(f"| {layer} | " + " | ".join(f"{float(each):.3f}" for each in row) + " |")


if __name__ == "__main__":
    main()
