"""Who is served next: a simulation of visitors, with a clock of its own."""

import pytest

from app.shared.request_queue import FULL, ONE_PLACE, PUT_OUT, NoPlaceError, RequestQueue
from app.shared.visitors import Visitor


@pytest.fixture
def queue(clock):
    return RequestQueue(32, clock)


def someone(address, session="tab"):
    return Visitor(f"8.8.8.{address}", f"{session} of {address}")


def serve(queue, clock, seconds=1.0):
    """Let whoever is next be served for a while; return the ticket."""
    ticket = queue.served
    ticket.begin()
    clock.now += seconds
    with ticket:
        pass
    return ticket


def test_those_who_have_had_nothing_are_served_in_the_order_in_which_they_came(queue, clock):
    tickets = [queue.join(someone(number)) for number in range(6)]
    assert [ticket.ahead for ticket in tickets] == [0, 1, 2, 3, 4, 5]
    assert [serve(queue, clock) for _ in tickets] == tickets
    assert queue.served is None and queue.waiting == 0


def test_a_visitor_has_one_place_whether_it_waits_or_is_served(queue, clock):
    queue.join(someone(1))
    other = queue.join(someone(2))
    for visitor in (someone(1), someone(2)):
        with pytest.raises(NoPlaceError, match="You have a question in the queue already"):
            queue.join(visitor)
    assert ONE_PLACE.endswith("or stop it.")
    serve(queue, clock)
    queue.join(someone(1))
    assert other.ahead == 0


def test_what_is_asked_about_an_answer_waits_beside_the_next_question(queue):
    queue.join(someone(1))
    queue.join(someone(1), beside_own=True)
    with pytest.raises(NoPlaceError):
        queue.join(someone(1), beside_own=True)


def test_visitors_of_whom_nothing_is_known_are_not_taken_for_one(queue):
    assert [queue.join().ahead for _ in range(3)] == [0, 1, 2]


def test_whoever_has_had_the_least_goes_first_and_everybody_knows_it(queue, clock):
    queue.join(someone(1))
    waits = queue.join(someone(2))
    serve(queue, clock, seconds=60)
    again = queue.join(someone(1))
    assert (waits.ahead, again.ahead) == (0, 1)
    new = [queue.join(someone(3)), queue.join(someone(4))]
    assert [ticket.ahead for ticket in (*new, again)] == [1, 2, 3]
    assert [serve(queue, clock) for _ in range(4)] == [waits, *new, again]


def rounds(queue, clock, visitors, greedy, seconds):
    """Let visitors ask again as soon as they are answered, beside a script; return the answers.

    The script has eight questions in the queue all the time, each from a session of its own.
    """
    had = dict.fromkeys([*visitors, "greedy"], 0)
    asked = 0

    def ask_again():
        nonlocal asked
        asked += 1
        return queue.join(Visitor("9.9.9.9", f"session {asked}"))

    for _ in range(8 if greedy else 0):
        ask_again()
    for visitor in visitors:
        queue.join(visitor)
    end = clock.now + seconds
    while clock.now < end:
        who = serve(queue, clock).visitor
        if who in had:
            had[who] += 1
            queue.join(who)
        else:
            had["greedy"] += 1
            ask_again()
    return had


def test_a_script_that_opens_a_session_for_each_question_gains_nothing(queue, clock):
    visitors = [someone(number) for number in range(10)]
    had = rounds(queue, clock, visitors, greedy=True, seconds=1100)
    assert sum(had.values()) == 1100
    assert all(98 <= each <= 102 for each in had.values()), had


def test_visitors_behind_one_address_share_its_part_fairly(queue, clock):
    behind_one = [Visitor("8.8.8.8", f"session {number}") for number in range(4)]
    visitors = [*behind_one, someone(1), someone(2)]
    had = rounds(queue, clock, visitors, greedy=False, seconds=1200)
    assert sum(had[each] for each in behind_one) == pytest.approx(400, abs=4)
    assert all(98 <= had[each] <= 102 for each in behind_one)
    assert had[someone(1)] == pytest.approx(400, abs=4)


def test_a_turn_counts_for_as_long_as_it_took(queue, clock):
    """Surveys of 20 s get their asker no more of the model than others have."""
    took = {someone(1): 20.0, someone(2): 1.0, someone(3): 1.0}
    had = dict.fromkeys(took, 0.0)
    for visitor in took:
        queue.join(visitor)
    while clock.now < 2000:
        visitor = queue.served.visitor
        serve(queue, clock, took[visitor])
        had[visitor] += took[visitor]
        queue.join(visitor)
    assert max(had.values()) - min(had.values()) <= 21, had


def test_nobody_waits_for_ever_for_having_asked_much_before(queue, clock):
    """Though all the time somebody comes who has never asked, and the queue is never empty."""
    queue.join(someone(1))
    queue.join(someone(2))
    serve(queue, clock, seconds=30)
    again, new = queue.join(someone(1)), 0
    while again.ahead and new < 1000:
        new += 1
        queue.join(Visitor(f"2001:db8:{new:x}::/64", "new"))
        serve(queue, clock)
    assert 10 < new < 100, "Others go first for a while that what was had is worth."


def test_the_last_place_of_whoever_has_the_most_goes_to_somebody_who_has_none(clock):
    queue = RequestQueue(4, clock)
    greedy = [queue.join(Visitor("9.9.9.9", f"session {number}")) for number in range(5)]
    with pytest.raises(NoPlaceError) as full:
        queue.join(Visitor("9.9.9.9", "one more"))
    assert str(full.value) == FULL
    modest = [queue.join(someone(1)), queue.join(someone(2))]
    assert [ticket.put_out for ticket in greedy] == [False, False, False, True, True]
    with pytest.raises(NoPlaceError) as out:
        _ = greedy[-1].ahead
    assert str(out.value) == PUT_OUT
    with greedy[-1]:
        pass  # leaves a queue in which it is no more
    third = queue.join(someone(3))
    with pytest.raises(NoPlaceError, match="Too many people"):
        queue.join(someone(4))  # everybody who waits has one place now
    assert [serve(queue, clock) for _ in range(5)] == [greedy[0], *modest, third, greedy[1]]


def test_what_was_had_is_forgotten_with_time(queue, clock):
    for number in range(5000):
        queue.join(Visitor(f"2001:db8:{number:x}::/64", "once"))
        if number:
            serve(queue, clock)
    assert len(queue._addresses._had) < 50 and len(queue._sessions) < 50
