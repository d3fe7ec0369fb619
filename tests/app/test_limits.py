"""What one address may ask for, and what it is told beyond that."""

import re

import pytest

from app.shared.limits import QUESTIONS, Limits, TooManyError, in_words
from app.shared.settings import Settings
from app.shared.visitors import Visitor

SOMEBODY, OTHER = Visitor("8.8.8.8", "tab"), Visitor("9.9.9.9", "tab")


def seconds(sentence):
    return int(re.search(r"in (\d+) second", sentence)[1])


def test_questions_beyond_the_limit_wait_for_as_long_as_is_said(clock):
    limits = Limits(questions=3, clock=clock)
    for _ in range(3):
        limits.ask(SOMEBODY)
        clock.now += 10
    with pytest.raises(TooManyError, match="3 questions came within a minute") as told:
        limits.ask(SOMEBODY)
    limits.ask(OTHER)
    clock.now += seconds(str(told.value)) - 1
    with pytest.raises(TooManyError):
        limits.ask(SOMEBODY)
    clock.now += 1
    limits.ask(SOMEBODY)
    with pytest.raises(TooManyError, match="10 seconds"):
        limits.ask(SOMEBODY)


def test_a_new_session_of_the_same_address_gains_nothing(clock):
    limits = Limits(questions=2, clock=clock)
    for number in range(2):
        limits.ask(Visitor("8.8.8.8", f"session {number}"))
    with pytest.raises(TooManyError):
        limits.ask(Visitor("8.8.8.8", "one more"))


def test_the_model_works_no_longer_for_one_address_than_it_may(clock):
    limits = Limits(questions=0, model_seconds=60, clock=clock)
    limits.used(SOMEBODY, 40)
    clock.now += 600
    limits.ask(SOMEBODY)
    limits.used(SOMEBODY, 40)  # one that began in time is not cut
    for refused in (limits.ask, limits.use_model):
        with pytest.raises(TooManyError, match="has worked 60 seconds within an hour.* 50 minutes"):
            refused(SOMEBODY)
    limits.ask(OTHER)
    clock.now += 50 * 60
    limits.ask(SOMEBODY)


def test_files_are_counted_apart(clock):
    limits = Limits(questions=1, uploads=2, clock=clock)
    limits.ask(SOMEBODY)
    for _ in range(2):
        limits.upload(SOMEBODY)
    with pytest.raises(TooManyError, match="2 files came within a minute.* 60 seconds"):
        limits.upload(SOMEBODY)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.168.1.7", "10.0.3.9", ""])
def test_who_may_stand_for_many_is_counted_only_where_the_owner_says_so(clock, address):
    """A private address may be a proxy's, and the loopback address is its own user's."""
    visitor = Visitor(address, "tab")
    usual = Limits(clock=clock)
    for _ in range(QUESTIONS + 1):
        usual.ask(visitor)
    said = Settings.read([], {"SINKTRACK_QUESTIONS_A_MINUTE": "1"}).limits()
    said.ask(visitor)
    with pytest.raises(TooManyError):
        said.ask(visitor)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::/64"])
def test_addresses_of_the_internet_are_counted_unless_the_owner_says_otherwise(clock, address):
    usual, none = Limits(clock=clock), Limits(questions=0, clock=clock)
    for _ in range(QUESTIONS):
        usual.ask(Visitor(address))
        none.ask(Visitor(address))
    none.ask(Visitor(address))
    with pytest.raises(TooManyError):
        usual.ask(Visitor(address))


def test_only_the_latest_addresses_are_remembered(clock):
    limits = Limits(questions=1, clock=clock)
    for number in range(20_000):
        limits.ask(Visitor(f"8.{number >> 16}.{number >> 8 & 255}.{number & 255}"))
    assert len(limits._questions._had) <= 10_000


def test_a_time_is_never_said_shorter_than_it_is():
    assert [in_words(each) for each in (0.2, 1, 1.2, 120, 121, 1800)] == [
        "1 second",
        "1 second",
        "2 seconds",
        "120 seconds",
        "3 minutes",
        "30 minutes",
    ]
