"""Made-up comparisons for the viewer, and what people do in it."""

import base64
from typing import Any

import torch
from playwright.sync_api import Page

from sinktrack.report.payload import quantise
from sinktrack.report.words import segments_as_json

HOSTILE = "<img src=x onerror=window.hacked=1>"
LAYERS, HEADS = 3, 2


def lane(name: str, tokens: list[str], sink: torch.Tensor, **changes: Any) -> dict[str, Any]:
    packed, scale = quantise(sink)
    return {
        "name": name,
        "title": name.title(),
        "subtitle": "",
        "text": "".join(tokens),
        "finish": "eos",
        "tokens": tokens,
        "layers": LAYERS,
        "heads": HEADS,
        "injected": [1],
        "sink": base64.b64encode(packed).decode(),
        "scale": scale,
    } | changes


def comparison() -> dict[str, Any]:
    """Three tokens of 0.00 to 0.17 beside five of 0.00 to 0.54, one layer not seen at the end."""
    short = torch.arange(3 * LAYERS * HEADS).reshape(3, LAYERS, HEADS) / 100
    long = torch.arange(5 * LAYERS * HEADS).reshape(5, LAYERS, HEADS) / 50
    long[4, 2] = float("nan")
    return {
        "model": "made up",
        "question": HOSTILE,
        "passage": "",
        "turns": [],
        "segments": segments_as_json(["sink", "passage", "image 1", "generated"]),
        "visuals": [],
        "notices": [],
        "settings": {},
        "versions": {},
        "lanes": [
            lane("plain", ["It", " is", "<|im_end|>"], short),
            lane("other", [HOSTILE, "", "two\nlines", " more", " tail"], long, finish="length"),
        ],
    }


def tab(page: Page, title: str) -> Page:
    """Bring a tab into sight."""
    page.get_by_role("tab", name=title, exact=True).click()
    return page


def with_sink_patches(lanes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        each | {"maps": [one | {"sink_patches": [0, 3]} for one in each["maps"]]} for each in lanes
    ]
