"""CHAIR on COCO: which objects a description mentions that neither captions nor boxes of it have.

All is read from files by their path: COCO's own captions and instances of one split, a folder with
its pictures, the field's list of synonyms, and a list of pictures where a published one is to be
repeated: ids or file names one a line, or JSON Lines with "image_id", as results are published
(500 pictures of val2014, https://github.com/shikiw/OPERA, log/chair_eval_results). Without a list
all pictures of the captions' file are asked about.

The list of synonyms (data/synonyms.txt of https://github.com/LisaAnne/Hallucination) is not copied
here. Layouts of COCO's files: https://cocodataset.org/#format-data, as that repository reads them.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from sinktrack.core.errors import DataError
from sinktrack.eval.answer_files import read_json
from sinktrack.eval.coco_objects import CocoObjects
from sinktrack.eval.data_sets import is_file, picture_in, spread, text_in
from sinktrack.eval.prompts import TaskPrompt, prompt_of
from sinktrack.eval.scorers import chair
from sinktrack.eval.task import WHOLE, Benchmark, Chosen, Item, Scores, Task

PLACES = {
    "captions": "captions_val2014.json of COCO",
    "instances": "instances_val2014.json of COCO",
    "images": "the folder with the pictures of COCO's split",
    "synonyms": "synonyms.txt of CHAIR",
    "list": "which pictures, by id or file name; by default all",
}


class _Coco:
    """What files of COCO say: pictures, and which objects each has.

    Args:
        captions: A path.
        instances: A path.
        synonyms: A path.
    """

    def __init__(self, captions: str, instances: str, synonyms: str) -> None:
        self.objects = CocoObjects(text_in(synonyms).splitlines())
        told, boxes = _json(captions), _json(instances)
        try:
            self.files = {each["id"]: each["file_name"] for each in told["images"]}
            names = {each["id"]: self.objects.named(each["name"]) for each in boxes["categories"]}
            self.present: dict[int, set[str]] = {each: set() for each in self.files}
            for box in boxes["annotations"]:
                if box["image_id"] in self.present:
                    self.present[box["image_id"]].add(names[box["category_id"]])
            self._captions: dict[int, list[str]] = {}
            for each in told["annotations"]:
                self._captions.setdefault(each["image_id"], []).append(each["caption"])
        except (KeyError, TypeError) as error:
            raise DataError(
                f"{captions} and {instances} are no captions and instances of COCO: {error} is "
                "missing in them."
            ) from error

    def objects_of(self, image: int) -> list[str]:
        """Return the objects of a picture, from its boxes and its captions."""
        said = (self.objects.mentions(each) for each in self._captions.get(image, ()))
        return sorted(self.present[image].union(*said))


@lru_cache(maxsize=1)
def _coco(captions: str, instances: str, synonyms: str) -> _Coco:
    return _Coco(captions, instances, synonyms)


def _items(data: Mapping[str, str], prompt: TaskPrompt, split: str, limit: int) -> Iterator[Item]:
    coco = _coco(data["captions"], data["instances"], data["synonyms"])
    asked = list(coco.files) if "list" not in data else _listed(data["list"], coco)
    for image in spread(asked, limit):
        objects = coco.objects_of(image)
        yield Item(
            id=str(image),
            answer=", ".join(objects),
            images=[picture_in(Path(data["images"]), coco.files[image])],
            facts={"objects": objects, "words": coco.objects},
            **prompt.put(),
        )


def _listed(path: str, coco: _Coco) -> list[int]:
    """Return the ids of pictures that a file lists, each once."""
    by_name = {name: image for image, name in coco.files.items()}
    found = []
    for line in filter(None, map(str.strip, text_in(path).splitlines())):
        try:
            said = json.loads(line)["image_id"] if line.startswith("{") else line
            image = by_name[said] if said in by_name else int(said)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} has the line {line[:80]!r}, which names no picture: give ids or file "
                "names, one a line, or JSON Lines with image_id."
            ) from error
        if image not in coco.files:
            raise DataError(f"{path} lists the picture {line[:80]}, which the captions lack.")
        found.append(image)
    return list(dict.fromkeys(found))


def _json(path: str) -> Any:
    if not is_file(path):
        raise DataError(f"There is no file {path[:200]}: check the path.")
    return read_json(path)


def _score(item: Item, answer: str) -> Scores:
    words: CocoObjects = item.facts["words"]
    mentions = words.mentions(answer)
    length = {"words": (float(len(answer.split())), 1.0)}
    return chair(mentions, item.facts["objects"], slots=0) | length


def _tasks(chosen: Chosen) -> tuple[Task, ...]:
    needed = [name for name in PLACES if name != "list" and name not in chosen.data]
    if needed:
        raise DataError(
            "coco-chair reads files that this program does not bring: add "
            + " ".join(f"--data {name}=PLACE ({PLACES[name]})" for name in needed)
            + "."
        )
    prompt = prompt_of(("coco_chair",), chosen.prompt)

    def about(split: str) -> dict[str, Any]:
        _coco(chosen.data["captions"], chosen.data["instances"], chosen.data["synonyms"])
        return {"data": "COCO", "files": dict(chosen.data)} | prompt.about()

    return (
        Task(
            name="CHAIR on COCO",
            items=partial(_items, chosen.data, prompt),
            score=_score,
            max_new_tokens=prompt.tokens,
            limit=WHOLE,
            about=about,
        ),
    )


SUITES = {"coco-chair": Benchmark(tasks=_tasks, places=PLACES, on_hub=False)}
