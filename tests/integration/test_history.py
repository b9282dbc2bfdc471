"""What history keeps of a story that is told to it. SPDX-License-Identifier: MIT"""

import pytest

from presenced import BUSY, IDLE, NOBODY, console_socket, people, until
from store_world import (ADMIN, all_users, changes, ctl_json, history, history_model, kill_and_start, kinds, now_ms,
                         pages, stop_and_start, timestamp)

SIGN_OF_LIFE_MS = 10_000  # between two of the daemon, when nothing changes
LONG = {"monitoring": {"linger": "1h"}, "hold": "1h"}
FORWARDED = IDLE | {"forward": {"kind": "phone", "target": "+442079460000"}}
TALKING = BUSY | {"calls": [{"state": "connected", "direction": "in", "peer": "+442070846845", "name": "A. Caller"}]}
STORY = [{"telephony": TALKING}, {"rich": {"availability": "busy", "activity": "meeting", "note": "Board room"}},
         {"telephony": FORWARDED}, {"rich": {"availability": "away"}}, {"telephony": IDLE},
         {"rich": {"availability": "available"}}]


class Office:
    """A daemon, its feed, and a console that has been told everything about alice."""

    def __init__(self, start, **config):
        self.daemon = start(ADMIN | LONG | config, users=people("alice", "bob"))
        self.feed = self.daemon.feed(truth={"alice": {"telephony": IDLE, "rich": {"availability": "available"}}})
        self.open()

    def open(self):
        self.console = self.daemon.console()
        self.console.subscribe(users=["alice"])
        self.console.wait(lambda: "requesting" not in statuses(self.console.table["alice"]), "all is known")

    def published(self):
        """What the console was told of alice, but for her note."""
        return [{key: value for key, value in one["params"].items() if key != "note"} for one in self.console.notifications
                if one["method"] == "presence.changed" and one["params"]["user"] == "alice"]

    def say(self, **domains):
        """A change, and wait until it is published."""
        before = self.console.seq
        self.feed.set("alice", **domains)
        self.console.wait(lambda: self.console.seq > before, f"{domains}")
        return self.console.table["alice"]

    def tell(self, story=STORY):
        for chapter in story:
            self.say(**chapter)
        return self.history_up_to(self.console.table["alice"]["seq"])

    def history_up_to(self, seq, **params):
        """The rows once the change with this number is among them: they are written a moment later."""
        def written():
            rows = history(self.console, "alice", **params)
            return changes(rows) and changes(rows)[-1]["seq"] >= seq and rows
        return until(written, f"the row of change {seq}")


def statuses(presence):
    return [presence[half]["status"] for half in ("rich", "telephony")]


def as_told(rows):
    return [{key: value for key, value in row.items() if key not in ("id", "kind")} for row in changes(rows)]


def test_every_change_that_was_published_is_a_row_as_it_was_published(start):
    office = Office(start)

    rows = office.tell()

    told, kept = office.published(), as_told(rows)
    both = max(told[0]["seq"], kept[0]["seq"])
    kept = [one for one in kept if one["seq"] >= both]
    assert kept == [one for one in told if one["seq"] >= both]
    assert len(kept) > len(STORY)
    assert kinds(rows)[0] == "started" and rows[0]["observed_until"] is None, "there was nothing before"
    assert not any("gap" in row for row in rows)
    assert history(office.console, "bob")[0] == rows[0], "that it started is about everybody"
    assert office.console.call("server.stats")["store"]["rows"] >= len(rows)


def test_a_note_is_no_row(start):
    office = Office(start)
    rows = office.tell()
    office.console.call("notes.set", user="alice", text="here")
    office.console.call("notes.clear", user="alice")
    seq = office.say(telephony=TALKING)["seq"]
    assert len(office.history_up_to(seq)) == len(rows) + 1


# ---- asking ---------------------------------------------------------------------------------


def test_pages_are_together_the_whole(start):
    office = Office(start)
    rows = office.tell()

    for limit in (1, 2, 3, len(rows) - 1, len(rows), 1000):
        paged, last = pages(office.console, "history.list", "rows", user="alice", limit=limit)
        assert paged == rows and last["next"] is None, limit
    page = office.console.call("history.list", user="alice", limit=2)
    assert page["rows"] == rows[:2] and page["next"] is not None and page["before"] is None
    assert history_model.ms(page["now"]) <= now_ms()
    assert office.console.call("history.list", user="alice", after=page["next"], limit=2)["rows"] == rows[2:4]


def test_from_and_to_cut_the_story_and_before_is_what_was_in_force(start):
    office = Office(start)
    rows = office.tell()
    whole = sorted({row["at"] for row in rows})

    for place, begin in enumerate(whole):
        for end in [None, *whole[place:]]:
            params = {"from": begin} | ({"to": end} if end else {})
            answer = office.console.call("history.list", user="alice", limit=1000, **params)
            assert answer["rows"] == [row for row in rows if begin <= row["at"] and (end is None or row["at"] < end)], params
            earlier = [row for row in rows if row["at"] < begin]
            assert answer["before"] == (earlier[-1] if earlier else None), params
    later = timestamp(now_ms() + 3_600_000)
    answer = office.console.call("history.list", user="alice", **{"from": later})
    assert (answer["rows"], answer["before"], answer["next"]) == ([], rows[-1], None)
    assert office.console.call("history.list", user="alice", to=whole[0])["rows"] == []


@pytest.mark.parametrize("field, params", [
    ("user", {"user": None}), ("user", {"user": 7}), ("from", {"from": "today"}), ("to", {"to": 7}), ("limit", {"limit": 0}),
    ("limit", {"limit": 1001}), ("limit", {"limit": "all"}), ("after", {"after": "x"})], ids=repr)
def test_bad_parameters_are_refused(start, field, params):
    office = Office(start)
    error = office.console.error_of("history.list", **{"user": "alice"} | params)
    assert (error.code, error.data) == (-32602, {"field": field})


def test_somebody_who_never_was_is_no_such_user(start):
    assert Office(start).console.error_of("history.list", user="zoe").code == -32002


def test_history_needs_read_and_numbers_need_calls(start, as_root):
    office = Office(start, console=[console_socket("presenced", ["read"]), console_socket("calls", ["read", "calls"]),
                                    console_socket("notes", ["notes"])])
    rows = office.tell()
    error = office.daemon.console("notes", uid=NOBODY).error_of("history.list", user="alice")
    assert (error.code, error.data) == (-32001, {"needs": "read"})
    assert history(office.daemon.console("calls", uid=NOBODY), "alice") == rows
    reader = office.daemon.console(uid=NOBODY, keep_bytes=True)
    shown = history(reader, "alice")
    assert [row["id"] for row in shown] == [row["id"] for row in rows]
    for secret in (b"+442070846845", b"A. Caller", b"+442079460000", b'"calls"'):
        assert secret not in reader.transcript
    forwards = [row["telephony"].get("forward") for row in changes(shown)]
    assert {"kind": "phone"} in forwards, "that it is so, but not where to"


# ---- what was not observed ------------------------------------------------------------------


def test_nobody_asking_and_a_lost_source_are_rows_and_not_observed(start):
    office = Office(start, monitoring={"linger": "1s"})
    office.tell(STORY[:2])
    office.feed.close()
    office.console.wait(lambda: set(statuses(office.console.table["alice"])) == {"stale"}, "stale")
    watcher = office.daemon.console()
    watcher.subscribe(users=["alice"], demand=False)
    office.console.call("presence.unsubscribe")
    watcher.wait(lambda: set(statuses(watcher.table["alice"])) == {"not_requested"}, "nobody asks")

    rows = until(lambda: set(statuses((found := changes(history(watcher, "alice")))[-1])) == {"not_requested"} and found,
                 "its row")

    assert {"stale"} in [set(statuses(row)) for row in rows]
    lost = next(row for row in rows if "stale" in statuses(row))
    found = history_model.fold(rows, None, history_model.ms(lost["at"]), now_ms())
    assert not found["overall"] and not found["line"] and not found["availability"], "nothing counts after the loss"
    assert history_model.fold(rows, None, 0, now_ms())["overall"]["busy"] > 0


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_what_the_daemon_did_not_see_is_not_observed(start, killed):
    office = Office(start)
    before = office.tell()
    if killed:
        office.daemon.kill()
    else:
        office.daemon.stop()
    gone = now_ms()
    office.daemon.start()
    office.feed = office.daemon.feed(truth=office.feed.truth)
    office.open()
    rows = office.tell(STORY[:2])

    history(office.console, "alice", kills=[gone])
    assert rows[:len(before)] == before
    runs = [row for row in rows[1:] if row["kind"] in ("started", "stopped")]
    assert kinds(runs) == (["started"] if killed else ["stopped", "started"])
    known = runs[-1]["observed_until"] if killed else runs[0]["at"]
    ended = max(history_model.ms(known) if known else 0, history_model.ms(before[-1]["at"]))
    back = next(row for row in changes(rows) if row["id"] > runs[-1]["id"])
    assert ended <= gone
    assert history_model.fold(rows, None, ended, history_model.ms(back["at"]))["overall"] == {}
    assert not any("gap" in row for row in rows), "that it was not there is not a loss"


def test_a_daemon_that_was_killed_knows_about_until_when_it_ran(start):
    office = Office(start)
    office.tell()
    begin = now_ms()
    until(lambda: now_ms() > begin + SIGN_OF_LIFE_MS + 2000, "a sign of life without any change")
    office.daemon.kill()
    gone = now_ms()
    office.daemon.start()
    row = history(office.daemon.console(), "alice", kills=[gone])[-1]
    assert row["kind"] == "started"
    assert begin < history_model.ms(row["observed_until"]) <= gone


def test_three_lives_are_told_apart(start):
    office = Office(start)
    for end in (stop_and_start, kill_and_start, stop_and_start):
        office.tell()
        end(office.daemon)
        office.feed = office.daemon.feed(truth=office.feed.truth)
        office.open()
    rows = office.tell(STORY[:1])
    assert [kind for kind in kinds(rows) if kind != "change"] == [
        "started", "stopped", "started", "started", "stopped", "started"]


# ---- people come and go ---------------------------------------------------------------------


def test_who_is_removed_keeps_a_history_that_ends(start):
    office = Office(start)
    office.tell()

    office.daemon.reload(users=people("bob"))

    rows = until(lambda: (rows := history(office.console, "alice"))[-1]["kind"] == "removed" and rows, "removed")
    assert rows[-1]["user"] == "alice" and "alice" not in all_users(office.console)
    kill_and_start(office.daemon)
    assert kinds(history(office.daemon.console(), "alice"))[-2:] == ["removed", "started"]
    office.daemon.reload(users=people("alice", "bob"))
    office.feed = office.daemon.feed(truth=office.feed.truth)
    office.open()
    rows = office.tell(STORY[:2])
    assert kinds(rows).count("removed") == 1 and rows[-1]["kind"] == "change"


# ---- configuration --------------------------------------------------------------------------


def test_history_that_is_switched_off_keeps_and_tells_nothing(start):
    office = Office(start, history={"enabled": False})
    for chapter in STORY:
        office.say(**chapter)
    error = office.console.error_of("history.list", user="alice")
    assert error.code == -32004 and "history" in error.message
    office.console.call("notes.set", user="alice", text="notes are kept all the same")

    office.daemon.reload(history={"enabled": True})

    begin = office.console.seq
    rows = office.tell([{"telephony": TALKING}, {"telephony": FORWARDED}])
    assert all(row["seq"] > begin for row in changes(rows)[1:])


def test_history_without_calls_keeps_no_numbers_and_no_row_for_them(start):
    office = Office(start, history={"calls": False})
    rows = office.tell()
    before = len(rows)
    office.say(telephony=TALKING)
    office.say(telephony=TALKING | {"calls": [{"state": "connected", "direction": "out", "peer": "4711"}]})
    seq = office.say(telephony=IDLE)["seq"]

    rows = office.history_up_to(seq)

    assert len(rows) == before + 2, "another call on a line that stays busy is no row"
    for row in changes(rows):
        assert "calls" not in row["telephony"] and "target" not in (row["telephony"].get("forward") or {}), row
    office.daemon.stop()
    kept = b"".join(file.read_bytes() for file in (office.daemon.folder / "state").iterdir() if file.is_file())
    assert b"presenced" in kept or b"SQLite" in kept
    assert b"A. Caller" not in kept and b"+442070846845" not in kept and b"+442079460000" not in kept


# ---- presencectl ----------------------------------------------------------------------------


def test_presencectl_adds_up_what_the_model_adds_up(start):
    office = Office(start)
    office.tell()
    kill_and_start(office.daemon)
    office.feed = office.daemon.feed(truth=office.feed.truth)
    office.open()
    rows = office.tell()
    times = [history_model.ms(row["at"]) for row in rows]

    for begin, end in ((times[0] - 5000, times[-1] + 1), (times[2], times[-2]), (times[3] + 1, times[3] + 2),
                       (times[-1] + 1, now_ms())):
        *shown, last = ctl_json(office.daemon, "history", "--from", timestamp(begin), "--to", timestamp(end), "alice")
        answer = office.console.call("history.list", user="alice", limit=1000,
                                     **{"from": timestamp(begin), "to": timestamp(end)})
        assert [row for row in shown if row != answer["before"]] == answer["rows"]
        summary = last["summary"]
        assert (summary.pop("from"), summary.pop("to")) == (timestamp(begin), timestamp(end))
        all_of_it = [row for row in rows if history_model.ms(row["at"]) >= begin]  # also the one behind the end
        expected = history_model.fold(all_of_it, answer["before"], begin, end)
        for column, words in expected.items():
            assert {word: ms for word, ms in summary[column].items() if ms} == {word: ms for word, ms in words.items() if ms}
