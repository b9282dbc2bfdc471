"""The model of history finds what is wrong, and nothing else. Needs no program. SPDX-License-Identifier: MIT"""

import copy
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from history_model import HistoryError, check, fold, ms  # noqa: E402

DAY = "2026-11-20T"


def time(second):
    return f"{DAY}12:{second // 60:02}:{second % 60:02}.000Z"


def at(second):
    return ms(time(second))


def change(number, second, availability="available", line=None, seq=None, **more):
    """Overall is the availability; the telephone has nothing to say unless `line` is given."""
    telephony = {"status": "server_not_configured", "since": time(0)}
    if line is not None:
        telephony = {"status": "ok", "since": time(second), "mode": "busy" if line == "busy" else "available", "line": line,
                     "calls": [{"state": "connected", "direction": "in"}] if line == "busy" else [], "technology": "tapi",
                     "source": "switch", "dnd": False, "forward": None}
    rich = {"status": "ok", "availability": availability, "activity": None, "technology": "sip", "source": "cups",
            "since": time(second)}
    return {"id": number, "kind": "change", "user": "alice", "seq": number if seq is None else seq, "at": time(second),
            "overall": availability, "rich": rich, "telephony": telephony} | more


def unseen(number, second, status, **more):
    half = {"status": status, "since": time(second)}
    return change(number, second) | {"overall": "unknown", "rich": half, "telephony": dict(half)} | more


def stale(number, second):
    row = change(number, second)
    row["rich"]["status"] = "stale"
    return row


def started(number, second, until=None):
    return {"id": number, "kind": "started", "at": time(second), "observed_until": until and time(until)}


def stopped(number, second):
    return {"id": number, "kind": "stopped", "at": time(second)}


def removed(number, second, **more):
    return {"id": number, "kind": "removed", "user": "alice", "at": time(second)} | more


def renamed(number, second):
    return {"id": number, "kind": "renamed", "user": "alice", "from": "alicia", "at": time(second)}


GOOD = [
    started(1, 0),
    change(2, 10),
    change(3, 20, "busy", "busy"),
    change(4, 30, gap=True),
    change(5, 35, gap=True),  # the same, but something was lost in between
    renamed(6, 40),
    change(7, 40),  # the same again after a rename
    removed(8, 50),
    change(9, 55),  # and after it came back
    stopped(10, 60),
    started(11, 80, 60),
    change(12, 90, seq=2),  # the same in another run, whose sequence begins anew
    started(13, 120, 100),
    unseen(14, 130, "not_requested", seq=1),
    stale(15, 140),
]


def test_right_rows_are_right():
    check("alice", GOOD, kills=[at(110)])
    check("alice", [])


def broken(place, **changes):
    rows = copy.deepcopy(GOOD)
    rows[place] |= changes
    return rows


def half(place, domain, **changes):
    rows = copy.deepcopy(GOOD)
    rows[place][domain] |= changes
    return rows


def without(place, key):
    rows = copy.deepcopy(GOOD)
    del rows[place][key]
    return rows


def call(**changes):
    rows = copy.deepcopy(GOOD)
    rows[2]["telephony"]["calls"][0] |= changes
    return rows


BAD = {
    "ids do not rise": broken(3, id=3),
    "ids go back": [GOOD[0], GOOD[2], GOOD[1] | {"seq": 9}],
    "seq does not rise": broken(2, seq=2),
    "seq goes back over a rename": broken(6, seq=1),
    "seq goes back over a removal": broken(8, seq=1),
    "the same again": [change(1, 10), change(2, 20)],
    "the same again, since another time": [change(1, 10), change(2, 10) | {"rich": change(1, 15)["rich"]}],
    "the same again after a row that renamed nothing": [renamed(1, 5), change(2, 10), change(3, 20)],
    "overall is no word": broken(1, overall="green"),
    "availability is no word": half(1, "rich", availability="ready"),
    "activity is no word": half(1, "rich", activity="dancing"),
    "rich status is no word": half(1, "rich", status="fine"),
    "line is no word": half(2, "telephony", line="in_use"),
    "mode is no word": half(2, "telephony", mode="ringing"),
    "telephony status is no word": half(2, "telephony", status="fine"),
    "technology is no word": half(2, "telephony", technology="fax"),
    "forward kind is no word": half(2, "telephony", forward={"kind": "fax"}),
    "state of a call is no word": call(state="over"),
    "direction of a call is no word": call(direction="up"),
    "a half with an unknown key": half(1, "rich", mood="good"),
    "facts of a half that is not known": half(1, "rich", status="error"),
    "a half without since": broken(1, rich={"status": "error"}),
    "a kind that there is not": broken(1, kind="paused"),
    "a change without seq": without(1, "seq"),
    "started without observed_until": without(0, "observed_until"),
    "a key that there is not": broken(9, why="asked"),
    "gap where none can be": broken(5, gap=True),
    "gap that is false": broken(3, gap=False),
    "another user's row": broken(1, user="bob"),
    "another user's removal": broken(7, user="bob"),
    "a time without milliseconds": broken(1, at="2026-11-20T12:00:10Z"),
    "a time that is none": broken(1, at="yesterday"),
    "observed after the start": broken(10, observed_until=time(81)),
    "observed after the kill": broken(12, observed_until=time(111)),
}


@pytest.mark.parametrize("rows", BAD.values(), ids=BAD)
def test_wrong_rows_are_found(rows):
    with pytest.raises(HistoryError):
        check("alice", rows, kills=[at(110)])


def test_rows_that_hide_calls_may_look_the_same():
    rows = [change(1, 10, "busy", "busy"), change(2, 20, "busy", "busy")]
    for row in rows:
        del row["telephony"]["calls"]
    check("alice", rows, calls=False)
    with pytest.raises(HistoryError):
        check("alice", rows)


def test_kills_before_and_after_are_not_about_a_start():
    rows = [started(1, 0), started(2, 50, 40), started(3, 100, 90)]
    check("alice", rows, kills=[at(45), at(95)])
    with pytest.raises(HistoryError):
        check("alice", rows, kills=[at(45), at(85)])


# ---- how long: every number was added up by hand --------------------------------------------


def seconds(summary):
    """Without what is 0, in seconds."""
    return {column: {word: value / 1000 for word, value in words.items() if value} for column, words in summary.items()}


@pytest.mark.parametrize("rows, before, expected", [
    # nothing is known at all
    ([], None, {"overall": {}, "line": {}, "availability": {}, "unobserved": {
        "overall": 100, "line": 100, "availability": 100}}),
    # what was in force at the beginning, then another word for the rest
    ([change(2, 30, "busy", "busy")], change(1, 0),
     {"overall": {"available": 30, "busy": 70}, "line": {"busy": 70}, "availability": {"available": 30, "busy": 70},
      "unobserved": {"line": 30}}),
    # the daemon was not there at the beginning
    ([change(2, 30)], stopped(1, 0), {"overall": {"available": 70}, "line": {}, "availability": {"available": 70},
                                      "unobserved": {"overall": 30, "line": 100, "availability": 30}}),
    # stopped, and started again: from 40 to 60
    ([change(2, 10), stopped(3, 40), started(4, 50, 40), change(5, 60, seq=1)], None,
     {"overall": {"available": 70}, "line": {}, "availability": {"available": 70},
      "unobserved": {"overall": 30, "line": 100, "availability": 30}}),
    # killed: observed until 25 only
    ([change(2, 10), started(3, 50, 25), change(4, 60, seq=1)], None,
     {"overall": {"available": 55}, "line": {}, "availability": {"available": 55},
      "unobserved": {"overall": 45, "line": 100, "availability": 45}}),
    # killed, and nobody knows until when it was observed
    ([change(2, 10), started(3, 50)], None, {"overall": {}, "line": {}, "availability": {}, "unobserved": {
        "overall": 100, "line": 100, "availability": 100}}),
    # what was in force at the beginning was observed for 5 s only
    ([started(3, 50, 5)], change(1, 0), {"overall": {"available": 5}, "line": {}, "availability": {"available": 5},
                                             "unobserved": {"overall": 95, "line": 100, "availability": 95}}),
    # rows were lost between 10 and 70
    ([change(2, 10), change(3, 70, "busy", gap=True)], None,
     {"overall": {"busy": 30}, "line": {}, "availability": {"busy": 30},
      "unobserved": {"overall": 70, "line": 100, "availability": 70}}),
    # the same before a removal
    ([change(2, 10), removed(3, 70, gap=True)], None, {"overall": {}, "line": {}, "availability": {}, "unobserved": {
        "overall": 100, "line": 100, "availability": 100}}),
    # removed; a rename before that ends nothing
    ([change(2, 10), renamed(3, 20), removed(4, 70)], None,
     {"overall": {"available": 60}, "line": {}, "availability": {"available": 60},
      "unobserved": {"overall": 40, "line": 100, "availability": 40}}),
    # not asked for, stale, lost: none of it is observed
    ([change(2, 10), stale(3, 20), unseen(4, 40, "error"), unseen(5, 60, "not_requested"), change(6, 80)], None,
     {"overall": {"available": 30}, "line": {}, "availability": {"available": 30},
      "unobserved": {"overall": 70, "line": 100, "availability": 70}}),
], ids=["nothing", "in force", "was not there", "stopped", "killed", "killed at an unknown time", "little of it", "gap",
        "gap before a removal", "removed", "unseen"])
def test_words_are_counted_while_they_are_observed(rows, before, expected):
    check("alice", rows)
    assert seconds(fold(rows, before, at(0), at(100))) == expected


def test_rows_outside_do_not_count():
    rows = [change(1, 10), change(2, 20, "busy"), change(3, 90, "away"), change(4, 95, "busy")]
    assert seconds(fold(rows, None, at(15), at(92)))["overall"] == {"available": 5, "busy": 70, "away": 2}


@pytest.mark.parametrize("behind, observed", [
    (started(2, 120, 60), 50), (started(2, 120, None), 0), (change(2, 120, gap=True), 0), (stopped(2, 120), 90), (change(2, 120, "busy"), 90)], ids=str)
def test_the_row_behind_the_end_may_cut_it_off(behind, observed):
    assert seconds(fold([change(1, 10), behind], None, at(0), at(100)))["overall"].get("available", 0) == observed


def test_a_clock_that_goes_back_takes_no_time_away():
    rows = [change(1, 50), change(2, 40, "busy"), change(3, 60)]
    assert seconds(fold(rows, None, at(0), at(100)))["overall"] == {"available": 40, "busy": 20}
