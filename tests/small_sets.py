"""A few rows of each benchmark in the hub's layout: its columns, types and splits, our own content.

A folder has Parquet files and a README whose front matter names the configurations, as
`datasets.load_dataset(folder)` reads it. Columns and types are those that each task's docstring
tells the source of.
"""

import io
import json

import yaml
from PIL import Image

COLOURS = ("red", "green", "blue", "white", "black", "yellow")


def picture(number):
    """Return the bytes of a small picture of one colour."""
    data = io.BytesIO()
    Image.new("RGB", (56, 56), COLOURS[number % len(COLOURS)]).save(data, "PNG")
    return {"bytes": data.getvalue(), "path": None}


def write_set(folder, splits, features, config="default", files="data/{split}-00000-of-00001"):
    """Write rows by split to a folder, as the hub has them.

    Args:
        folder: Where to.
        splits: Rows by split.
        features: Of `datasets`.
        config: The configuration's name.
        files: Where the rows of a split are.
    """
    import datasets

    paths = []
    for split, rows in splits.items():
        name = files.format(split=split) + ".parquet"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        part = datasets.Dataset.from_list(rows, features=datasets.Features(features))
        part.to_parquet(str(folder / name))
        paths.append({"split": split, "path": name})
    head = yaml.safe_dump({"configs": [{"config_name": config, "data_files": paths}]})
    (folder / "README.md").write_text(f"---\n{head}---\n\n# A small set\n")
    return str(folder)


def texts(*names):
    """Return features that are texts."""
    import datasets

    return {name: datasets.Value("string") for name in names}


def pope(folder):
    import datasets

    rows = [
        {
            "id": str(number),
            "question_id": str(number // 3 + 1),
            "question": f"Is there a thing {number} in the image?",
            "answer": ("yes", "no")[number // 3 % 2],
            "image_source": f"COCO_val2014_{number // 6:012d}",
            "image": picture(number),
            "category": ("adversarial", "popular", "random")[number % 3],
        }
        for number in range(12)
    ]
    features = texts("id", "question_id", "question", "answer", "image_source", "category")
    return write_set(folder, {"test": rows}, features | {"image": datasets.Image()})


def m3cot(folder):
    import datasets

    rows = [
        {
            "id": f"physical-commonsense-{number}",
            "category": "c",
            "image_id": f"physical-commonsense-{number}",
            "question": f"Which one is {number}?",
            "choices": ["left", "ahead", "right", "above", "below"][: 4 + number % 2],
            "context": "",
            "answer": "ABCD"[number % 4],
            "rationale": "Because.",
            "split": "test",
            "image": picture(number) if number != 2 else None,
            "domain": ("commonsense", "science", "mathematics")[number % 3],
            "topic": "physical-commonsense",
        }
        for number in range(4)
    ]
    names = ("id", "category", "image_id", "question", "context", "answer", "rationale")
    features = texts(*names, "split", "domain", "topic") | {
        "choices": datasets.List(datasets.Value("string")),
        "image": datasets.Image(),
    }
    return write_set(folder, {"validation": rows[:1], "test": rows}, features)


def mmstar(folder):
    import datasets

    rows = [
        {
            "index": number,
            "question": "Where is it?\nOptions: A: left, B: ahead of us, C: right, D: away",
            "image": picture(number),
            "answer": "ABCD"[number],
            "category": ("coarse perception", "math")[number % 2],
            "l2_category": "image style & quality",
            "meta_info": {"source": "MMBench", "split": "val", "image_path": "images/0.jpg"},
        }
        for number in range(4)
    ]
    features = texts("question", "answer", "category", "l2_category") | {
        "index": datasets.Value("int64"),
        "image": datasets.Image(),
        "meta_info": texts("source", "split", "image_path"),
    }
    return write_set(folder, {"val": rows}, features, "val", "mmstar")


def realworldqa(folder):
    import datasets

    letter = "Please answer directly with only the letter of the correct option and nothing else."
    word = "Please answer directly with a single word or number."
    rows = [
        {"question": f"Which way?\n\nA. Left\nB. Straight\nC. Right\n{letter}", "answer": "C"},
        {"question": f"How many cars are there?\n{word}", "answer": "2"},
        {"question": f"Is the light green?\n{word}", "answer": "Yes"},
    ]
    rows = [{"image": picture(number), **row} for number, row in enumerate(rows)]
    features = {"image": datasets.Image()} | texts("question", "answer")
    return write_set(folder, {"test": rows}, features)


def scienceqa(folder):
    import datasets

    rows = [
        {
            "image": picture(number) if number % 2 else None,
            "question": f"Which of these is {number}?",
            "choices": ["solid", "liquid", "gas"],
            "answer": number % 3,
            "hint": "A hint." if number == 1 else "",
            "task": "closed choice",
            "grade": "grade4",
            "subject": ("natural science", "social science")[number // 2],
            "topic": "physics",
            "category": "Matter",
            "skill": "Sort",
            "lecture": "Long.",
            "solution": "Thus.",
        }
        for number in range(4)
    ]
    names = ("question", "hint", "task", "grade", "subject", "topic", "category", "skill")
    features = texts(*names, "lecture", "solution") | {
        "image": datasets.Image(),
        "choices": datasets.List(datasets.Value("string")),
        "answer": datasets.Value("int8"),
    }
    return write_set(folder, {"validation": rows[:2], "test": rows}, features)


def hallusion_bench(folder):
    """One set of each category: an original and an altered figure, and no figure and two."""
    import datasets

    def row(category, visual, figure, question, answer):
        return {
            "category": category,
            "subcategory": "chart",
            "visual_input": visual,
            "set_id": "0",
            "figure_id": figure,
            "sample_note": "note",
            "question_id": question,
            "question": f"Is it {question}?",
            "gt_answer_details": "Details.",
            "gt_answer": answer,
            "filename": None if visual == "0" else f"./{category}/chart/0_{figure}.png",
            "image": None if visual == "0" else picture(int(figure)),
        }

    shown = [
        row("VD", "1", "0", "0", "1"),
        row("VD", "1", "0", "1", "0"),
        row("VD", "2", "1", "0", "0"),
        row("VD", "2", "1", "1", "1"),
        row("VS", "1", "1", "0", "1"),
        row("VS", "2", "2", "0", "0"),
    ]
    alone = [row("VS", "0", "0", "0", "1")]
    features = texts(*(name for name in shown[0] if name != "image")) | {"image": datasets.Image()}
    return write_set(folder, {"image": shown, "non_image": alone}, features)


def squad(folder):
    import datasets

    rows = [
        {
            "id": f"q{number}",
            "title": "Rooms",
            "context": "The key lies in the old attic.",
            "question": f"Where is the key, {number}?",
            "answers": {
                "text": ["the old attic", "attic"] if number % 2 else [],
                "answer_start": [16, 24] if number % 2 else [],
            },
        }
        for number in range(8)
    ]
    features = texts("id", "title", "context", "question") | {
        "answers": {
            "text": datasets.List(datasets.Value("string")),
            "answer_start": datasets.List(datasets.Value("int32")),
        }
    }
    splits = {"train": rows[:2], "validation": rows}
    return write_set(folder, splits, features, "squad_v2", "squad_v2/{split}-00000-of-00001")


SQUAD_FILE = {
    "version": "v2.0",
    "data": [
        {
            "title": "Rooms",
            "paragraphs": [
                {
                    "context": "The key lies in the old attic.",
                    "qas": [
                        {
                            "id": "a",
                            "question": "Where is the key?",
                            "is_impossible": False,
                            "answers": [{"text": "the old attic", "answer_start": 16}],
                        },
                        {
                            "id": "b",
                            "question": "Whose is it?",
                            "is_impossible": True,
                            "plausible_answers": [{"text": "old", "answer_start": 20}],
                            "answers": [],
                        },
                    ],
                }
            ],
        }
    ],
}

DIALOGUE = {
    "id": "C_1",
    "context": "Rollo was a Viking. He ruled Normandy. CANNOTANSWER",
    "qas": [
        {
            "id": "C_1_q#0",
            "question": "Who was Rollo?",
            "answers": [{"text": "a Viking"}, {"text": "Rollo was a Viking"}, {"text": "a Viking"}],
            "orig_answer": {"text": "a Viking"},
            "yesno": "x",
            "followup": "y",
        },
        {
            "id": "C_1_q#1",
            "question": "When did he die?",
            "answers": [{"text": "CANNOTANSWER"}, {"text": "CANNOTANSWER"}],
            "orig_answer": {"text": "CANNOTANSWER"},
            "yesno": "x",
            "followup": "n",
        },
    ],
}
QUAC_FILE = {"data": [{"title": "Rollo", "paragraphs": [DIALOGUE]}]}


def quac(folder):
    import datasets

    turns = DIALOGUE["qas"]

    def answers(name):
        return {
            "texts": [[one["text"] for one in each["answers"]] for each in turns],
            "answer_starts": [[0 for _ in each["answers"]] for each in turns],
        }

    row = {
        "dialogue_id": DIALOGUE["id"],
        "wikipedia_page_title": "Rollo",
        "background": "A background.",
        "section_title": "Life",
        "context": DIALOGUE["context"],
        "turn_ids": [each["id"] for each in turns],
        "questions": [each["question"] for each in turns],
        "followups": [2, 1],
        "yesnos": [2, 2],
        "answers": answers("answers"),
        "orig_answers": {
            "texts": [each["orig_answer"]["text"] for each in turns],
            "answer_starts": [0, 0],
        },
    }
    text, number = datasets.Value("string"), datasets.Value("int32")
    names = ("dialogue_id", "wikipedia_page_title", "background", "section_title", "context")
    features = texts(*names) | {
        "turn_ids": datasets.List(text),
        "questions": datasets.List(text),
        "followups": datasets.List(datasets.ClassLabel(names=["y", "n", "m"])),
        "yesnos": datasets.List(datasets.ClassLabel(names=["y", "n", "x"])),
        "answers": {
            "texts": datasets.List(datasets.List(text)),
            "answer_starts": datasets.List(datasets.List(number)),
        },
        "orig_answers": {
            "texts": datasets.List(text),
            "answer_starts": datasets.List(number),
        },
    }
    splits = {"train": [row], "validation": [row]}
    return write_set(folder, splits, features, "plain_text", "plain_text/{split}/0000")


def longbench(folder):
    """LongBench's data.zip, unpacked: JSON Lines by set."""
    (folder / "data").mkdir()
    for name in ("narrativeqa", "qasper", "multifieldqa_en", "hotpotqa", "2wikimqa", "musique"):
        row = {
            "input": f"Who wrote {name}?",
            "context": "Passage 1:\nAnna wrote it.\n\nPassage 2:\nNobody did.",
            "answers": ["Anna", "Anna B. Smith"],
            "length": 9,
            "dataset": name,
            "language": "en",
            "all_classes": None,
            "_id": f"{name}-1",
        }
        (folder / "data" / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    return str(folder)


SETS = {
    "pope": pope,
    "m3cot": m3cot,
    "mmstar": mmstar,
    "realworldqa": realworldqa,
    "scienceqa": scienceqa,
    "hallusion-bench": hallusion_bench,
    "hallusion-bench-pictures": hallusion_bench,
    "squad": squad,
    "quac": quac,
    "longbench": longbench,
}
"""What writes a small copy of each benchmark that is read from the hub."""
