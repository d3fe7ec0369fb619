"""Training learns, packs its rows without leaks, and goes on where it stopped."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText

from sinktrack.shapes import outside
from sinktrack.shapes.everyday import everyday, two_pictures
from sinktrack.shapes.long_answers import delayed_existence
from sinktrack.shapes.questions import Question, existence_of
from sinktrack.shapes.scenes import draw, sample_scene
from training.batches import DECISION_WEIGHT, training_batch
from training.checkpoint import Size
from training.mixture import Row, honest, passages, scene_questions, training_rows
from training.packed_attention import QUERIES, use_packed_attention
from training.train import Settings, Training, answer_loss, main

TINY = Settings(
    size=Size(
        layers=2,
        hidden=32,
        heads=2,
        key_value_heads=1,
        intermediate=64,
        vision_layers=1,
        vision_hidden=32,
        vision_heads=2,
        vision_intermediate=32,
    ),
    see_steps=2,
    place_steps=2,
    steps=8,
    scenes=2,
    warmup=1,
    learning_rate=5e-3,
)


def test_a_few_steps_lower_the_loss() -> None:
    """Both stages make progress on the very batches they saw."""
    training = Training(TINY, "cpu")
    batch = training_batch(training.packer, 0, 0, 2, 1)
    before = answer_loss(training.model, batch)[0].item()
    figures = [training.train_step() for _ in range(training.total)]
    assert figures[0].keys() == {"loss", "seen", "size"}
    assert answer_loss(training.model, batch)[0].item() < 0.9 * before


def test_a_resumed_run_reaches_the_same_weights(tmp_path: Path) -> None:
    """Stopping between any two steps, in either stage, changes nothing."""
    straight = Training(TINY, "cpu")
    for _ in range(7):
        straight.train_step()
    for stop in (1, 3, 5):
        first = Training(TINY, "cpu")
        for _ in range(stop):
            first.train_step()
        torch.save(first.state(), tmp_path / "state.pt")
        second = Training(TINY, "cpu")
        second.restore(torch.load(tmp_path / "state.pt", weights_only=True))
        while second.step < 7:
            second.train_step()
        for name, value in straight.model.state_dict().items():
            assert torch.equal(value, second.model.state_dict()[name]), name


def test_a_state_of_other_settings_is_refused() -> None:
    """A run never goes on with data or sizes that it was not started with."""
    state = Training(TINY, "cpu").state()
    state["settings"]["seed"] = 7
    with pytest.raises(ValueError, match="other settings"):
        Training(TINY, "cpu").restore(state)


def test_a_finished_run_can_be_lengthened() -> None:
    """More steps go on from the same state; fewer would pretend that the last ones never were."""
    state = Training(TINY, "cpu").state()
    longer = Training(replace(TINY, steps=9), "cpu")
    longer.restore(state)
    with pytest.raises(ValueError, match="at least as many steps"):
        Training(TINY, "cpu").restore(longer.state())


ROWS = ("a scene", "two scenes", "a photograph's format", "a passage", "a conversation")


def row_of(kind: str, rng: random.Random) -> Row:
    """Return a row of a step of training, and how it is asked."""
    scene, other = sample_scene(rng, 3), sample_scene(rng, 4)
    if kind == "two scenes":
        return [draw(scene), draw(other)], [two_pictures(rng, scene, other) for _ in range(3)]
    if kind == "a photograph's format":
        asked = [honest(question) for question in scene_questions(rng, scene)]
        return [Image.effect_noise((300, 400), 90).convert("RGB")], asked
    if kind == "a passage":
        return [], [*passages(rng), outside.question(rng)]
    if kind == "a conversation":
        asked = [everyday(rng, scene, "follow-up") for _ in range(12)]
        return [draw(scene)], [question for question in asked if question is not None]
    return [draw(scene)], scene_questions(rng, scene)


@pytest.mark.parametrize("kind", ROWS)
def test_a_packed_segment_computes_what_its_own_prompt_does(kind: str) -> None:
    """Questions that share their pictures' tokens do not see each other, beside a longer row."""
    training = Training(TINY, "cpu")
    rng = random.Random(0)
    pictures, questions = row_of(kind, rng)
    longer = sample_scene(rng, 6)
    asked = [question for _ in range(4) for question in scene_questions(rng, longer)]
    packed = training.packer([(pictures, questions), ([draw(longer)], asked)])
    inputs = {
        "attention_mask": packed.attention_mask,
        "position_ids": packed.position_ids,
        "pixel_values": packed.pixel_values,
        "image_grid_thw": packed.image_grid_thw,
    }
    before = cursor = int((packed.segments[0] == 0).sum())
    with torch.no_grad():
        hidden = training.model.model(input_ids=packed.input_ids, **inputs).last_hidden_state[0]
        for question in questions:
            alone = training.processor(
                text=conversation(training.processor, question, len(pictures)),
                images=list(pictures) or None,
                return_tensors="pt",
            )
            ids = alone["input_ids"][0, before:]
            assert torch.equal(packed.input_ids[0, cursor : cursor + len(ids)], ids)
            expected = training.model.model(**alone).last_hidden_state[0, -len(ids) :]
            difference = (hidden[cursor : cursor + len(ids)] - expected).abs().max().item()
            assert difference < 1e-4, f"{question.text} differs by {difference}."
            cursor += len(ids)


def test_attention_with_the_seen_keys_alone_is_attention_with_all() -> None:
    """A loss and every gradient are the same, where rows are longer than a piece of queries."""
    training = Training(TINY, "cpu")
    batch = training_batch(training.packer, 0, 0, 3, most_objects=6)
    assert batch.input_ids.shape[1] > 2 * QUERIES

    def learned() -> dict[str, torch.Tensor]:
        training.model.zero_grad()
        loss, _, _ = answer_loss(training.model, batch)
        loss.backward()
        named = training.model.named_parameters()
        return {"loss": loss.detach()} | {
            name: each.grad for name, each in named if each.grad is not None
        }

    expected = learned()
    use_packed_attention(training.model)
    assert training.model.model.language_model.config._attn_implementation == "packed"
    torch.testing.assert_close(learned(), expected, rtol=1e-4, atol=1e-6)


def conversation(processor: Any, question: Question, pictures: int) -> str:
    """Render a whole conversation in the chat's format, up to the end of the last answer."""
    turns = [*question.earlier, (question.text, question.answer)]
    messages: list[dict[str, Any]] = []
    for number, (text, answer) in enumerate(turns):
        shown = [{"type": "image"}] * (pictures if number == 0 else 0)
        messages.append({"role": "user", "content": [*shown, {"type": "text", "text": text}]})
        messages.append({"role": "assistant", "content": answer})
    return str(processor.apply_chat_template(messages, tokenize=False)).removesuffix("\n")


def test_a_step_asks_about_scenes_pairs_passages_and_what_lies_outside() -> None:
    """To twelve scenes come seven more rows, and a tenth of what is asked lies outside."""
    rng = random.Random(0)
    outside_them = in_all = 0
    for _ in range(6):
        rows = training_rows(rng, [sample_scene(rng, 3) for _ in range(12)])
        assert sorted(len(pictures) for pictures, _ in rows) == [*[0] * 5, *[1] * 13, 2]
        for _, questions in rows:
            honestly = [question.answer == outside.HONEST for question in questions]
            outside_them, in_all = outside_them + sum(honestly), in_all + len(honestly)
            for question in questions:
                before = {answer == outside.HONEST for _, answer in question.earlier}
                assert before <= {question.answer == outside.HONEST}
    assert 0.08 < outside_them / in_all < 0.15


def test_only_answers_are_learned() -> None:
    """The targets spell the answers with the end of the turn, and nothing else."""
    training = Training(TINY, "cpu")
    rng = random.Random(1)
    scene = sample_scene(rng, 2)
    questions = scene_questions(rng, scene)
    told = passages(rng)
    rows = training.packer([([draw(scene)], questions), ([], told)]).targets
    for targets, asked in zip(rows, (questions, told), strict=True):
        text = training.processor.tokenizer.decode(targets[targets >= 0])
        assert text == "".join(question.answer + "<|im_end|>" for question in asked)


def test_a_sentence_behind_a_long_one_weighs_as_if_it_stood_alone() -> None:
    """And a yes or no more than the words that follow from it."""
    packer = Training(TINY, "cpu").packer
    rng = random.Random(0)
    scene = sample_scene(rng, 3)
    count = delayed_existence(rng, scene, 20, True)
    alone = existence_of(rng, count.text[:-1].split(" a ")[1], True)
    batch = packer([([draw(scene)], [count, alone])])
    learned = [(batch.segments[0] == number) & (batch.targets[0] >= 0) for number in (1, 2)]
    behind, by_itself = (batch.weights[0][mine].tolist() for mine in learned)
    assert behind[-len(by_itself) :] == by_itself
    assert by_itself[0] == DECISION_WEIGHT == max(behind)
    assert behind[0] < by_itself[1] < 1


def test_the_share_of_right_answers_counts_whole_answers() -> None:
    """One wrong token spoils its own answer and no other."""
    training = Training(TINY, "cpu")
    rng = random.Random(2)
    scenes = [sample_scene(rng, 2) for _ in range(2)]
    batch = training.packer([([draw(scene)], scene_questions(rng, scene)[:4]) for scene in scenes])
    wrong = torch.zeros_like(batch.targets).bool()
    assert batch.answers_right(wrong) == 1.0
    answer = ((batch.segments[1] == 3) & (batch.targets[1] >= 0)).nonzero()[:, 0]
    wrong[1, answer[:2]] = True
    assert batch.answers_right(wrong) == pytest.approx(7 / 8)


def test_the_command_writes_a_checkpoint_and_resumes(tmp_path: Path) -> None:
    """It leaves a loadable folder and a state; called again, it has nothing left to do."""
    arguments = f"--out {tmp_path}/out --state {tmp_path}/runs/state.pt --layers 1 --scenes 1"
    arguments += " --see-steps 1 --place-steps 1 --steps 1 --log-every 1"
    main(arguments.split())
    first = AutoModelForImageTextToText.from_pretrained(tmp_path / "out").state_dict()
    main(arguments.split())
    second = AutoModelForImageTextToText.from_pretrained(tmp_path / "out").state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert len((tmp_path / "runs" / "log.jsonl").read_text().splitlines()) == 3
