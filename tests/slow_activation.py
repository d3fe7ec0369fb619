"""Token activation maps as their paper and public code describe them, number by number."""

import math

import numpy as np
import torch


def slow_map(model, inputs, written, image, texts, shape):
    """The map of the last of `written`, from full logits of one plain forward pass.

    Args:
        model: Read as a plain model.
        inputs: Of the prompt.
        written: The answer's ids up to the word that is shown.
        image: Where the picture's tokens stand.
        texts: Where the prompt's texts stand.
        shape: Rows and columns of the picture.
    """
    length = inputs["input_ids"].shape[1]
    ids = torch.cat([inputs["input_ids"], torch.tensor([written[:-1]], dtype=torch.long)], dim=1)
    given = inputs | {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if "mm_token_type_ids" in given:
        kinds = torch.zeros_like(ids)
        kinds[:, :length] = inputs["mm_token_type_ids"]
        given["mm_token_type_ids"] = kinds
    with torch.no_grad():
        logits = model(**given).logits[0].float().numpy()
    word = written[-1]
    own_map = [max(logits[at, word], 0.0) for at in image]
    classes = [int(ids[0, at]) for at in texts] + list(written[:-1])
    scores = [max(logits[at, word], 0.0) for at in texts]
    scores += [max(logits[length - 1 + k, word], 0.0) for k in range(len(written) - 1)]
    others = [k for k, each in enumerate(classes) if each != word]
    total = sum(scores[k] for k in others) + 1e-8
    explained = [
        sum(scores[k] / total * max(logits[at, classes[k]], 0.0) for k in others) for at in image
    ]
    scale = sum(map(math.prod, zip(own_map, explained, strict=True)))
    scale /= max(sum(each**2 for each in explained), 1e-12)
    left = [max(a - scale * b, 0.0) for a, b in zip(own_map, explained, strict=True)]
    low, high = min(left + scores), max(left + scores)
    frame = np.array([(each - low) / (high - low) for each in left]).reshape(shape)
    return slow_filter(frame)


def slow_filter(frame):
    """The rank Gaussian filter of 3 by 3, token by token."""
    padded = np.pad(frame, 1, mode="reflect")
    found = np.zeros(frame.shape)
    for row in range(frame.shape[0]):
        for column in range(frame.shape[1]):
            values = sorted(padded[row : row + 3, column : column + 3].ravel().tolist())
            mean = sum(values) / 9
            if mean <= 0:
                continue
            spread = math.sqrt(sum((each - mean) ** 2 for each in values) / 9) / mean
            weights = [
                math.exp(-((rank - 4) ** 2) / (2 * max(spread, 1e-6) ** 2)) for rank in range(9)
            ]
            found[row, column] = sum(map(math.prod, zip(values, weights, strict=True)))
            found[row, column] /= sum(weights)
    return found
