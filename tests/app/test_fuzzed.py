"""A part of what `benchmarks/fuzz.py` sends in: nothing but refusals and answers comes out."""

import warnings

import pytest
from fuzzed import fuzz_pictures, fuzz_questions


@pytest.mark.parametrize("seed", [1, 2])
def test_broken_pictures_are_refused_or_read_and_nothing_is_warned_of(engine, tmp_path, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        came = fuzz_pictures(engine, tmp_path, 200, seed)
    assert came["read"] + came["refused"] == 200
    assert came["read"] > 5, "hardly a picture gets as far as the model"


def test_strange_questions_are_refused_or_asked_without_a_control_token(engine, picture):
    came = fuzz_questions(engine, picture, 120, 1)
    assert came["read"] > 20, "hardly a question gets as far as the model"
