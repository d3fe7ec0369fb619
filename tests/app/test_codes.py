"""Codes that were made are kept, whole or not at all, and for their owner alone."""

import pytest

from app.study.codes import FILE, made_codes, personal_code, personal_digest


def test_codes_that_were_made_outlive_a_restart_and_are_the_owners_alone(tmp_path):
    codes, kept = made_codes(tmp_path)
    assert kept and made_codes(tmp_path) == (codes, True)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    (tmp_path / FILE).write_text("{")  # cut short
    anew, _ = made_codes(tmp_path)
    assert anew != codes and made_codes(tmp_path) == (anew, True)
    assert [file.name for file in tmp_path.iterdir()] == [FILE]
    unkept, kept = made_codes(tmp_path / "nowhere")
    assert not kept and set(unkept) == {"invite", "coordinator"}


@pytest.mark.parametrize("said", [None, 3, "", "short", "a-b-c", "ä" * 20, "x" * 65, "x" * 10_000])
def test_what_is_no_personal_code_has_no_digest(said):
    assert personal_digest(said) is None


def test_a_personal_code_may_be_typed_with_blanks_and_capitals():
    code = personal_code()
    assert personal_digest(code) == personal_digest(code.upper().replace("-", " "))
    assert personal_digest(code) != personal_digest(personal_code())
