"""Directories that sources send: taken as a whole, matched, guarded. SPDX-License-Identifier: MIT"""

import pytest

from presenced import feed_source, people, until
from store_world import (ADMIN, Directory, all_users, counts, everything, fields, kill_and_start, numbers, origins,
                         stop_and_start, user_of, wait_store, wait_written)

ON = {"use": True, "match": ["upn", "extension"]}


def start_office(start, *users, directory=ON):
    daemon = start(ADMIN, users=users, sources=[feed_source("hr", "xmpp", directory=directory)])
    console = daemon.console()
    wait_store(console)
    return daemon, console, Directory(daemon.feed("hr"))


def taken(conflicts=0, **changed):
    return {"directory": "taken", "conflicts": conflicts} | numbers(**changed)


def staff(count, first=0):
    return [(f"k{n}", {"id": f"s{n:03}", "name": f"Somebody {n}"}) for n in range(first, first + count)]


# ---- who is who -----------------------------------------------------------------------------


def test_users_that_nobody_has_are_made_and_called_by_id_or_else_by_key(start):
    daemon, console, hr = start_office(start)
    observer = daemon.console()
    observer.subscribe(all=True, demand=False)

    assert hr.say(("1", {"id": "alice", "name": "Alice", "groups": ["sales"], "addresses": {"upn": "alice@x"}}),
                  ("bob", {"name": "Bob"})) == taken(added=2)

    observer.wait(lambda: set(observer.table) == {"alice", "bob"}, "both are there")
    assert fields(user_of(console, "alice")) == {"name": "Alice", "groups": ["sales"], "addresses": {"upn": "alice@x"}}
    assert [(one["origin"], one["key"]) for one in user_of(console, "alice")["origins"]] == [("hr", "1")]
    assert hr.say(("1", {"id": "alice", "name": "Alice L."}), ("bob", {"name": "Bob"})) == taken(changed=1, unchanged=1)
    assert fields(user_of(console, "alice")) == {"name": "Alice L.", "groups": [], "addresses": {}}


@pytest.mark.parametrize("entry, user", [
    ({"addresses": {"upn": "alice@x"}}, "alice"), ({"addresses": {"extension": "2002"}}, "bob"),
    ({"addresses": {"upn": "bob@x", "extension": "2001"}}, "bob"),  # upn is the first to be looked at
    ({"addresses": {"upn": "nobody@x", "extension": "2001"}}, "alice"),
    ({"id": "alice", "addresses": {"upn": "bob@x"}}, "alice"),  # an id that somebody has needs no match
    ({"id": "new", "addresses": {"upn": "bob@x"}}, "bob"), ({"id": "new"}, "new"), ({}, "77")], ids=repr)
def test_an_entry_finds_its_user_by_the_columns_of_match_in_order(start, entry, user):
    daemon, console, hr = start_office(start, {"id": "alice", "upn": "alice@x", "extension": "2001"},
                                       {"id": "bob", "upn": "bob@x", "extension": "2002"})

    hr.say(("77", {"name": "Of Hr"} | entry))

    assert [one for one in all_users(console) if ("hr" in dict(origins(console, one)))] == [user]
    assert set(all_users(console)) == {"alice", "bob", user}
    wait_written(console)
    kill_and_start(daemon)
    assert "hr" in dict(origins(daemon.console(), user))


def test_two_candidates_are_a_conflict_that_changes_nothing(start):
    daemon, console, hr = start_office(start, *people("alice", "bob", extension="2001"), {"id": "carol", "upn": "carol@x"})
    before = everything(console)

    assert hr.say(("1", {"id": "new", "name": "Who", "addresses": {"extension": "2001"}})) == taken(conflicts=1)
    assert everything(console) == before
    said = next(line for line in daemon.log_text().splitlines() if "conflict" in line)
    assert all(word in said for word in ("hr", "alice", "bob", "extension")), "a person must find out which"

    assert hr.say(("1", {"id": "new", "addresses": {"extension": "2001"}}),
                  ("2", {"name": "Carol", "addresses": {"upn": "carol@x"}})) == taken(conflicts=1, changed=1)
    console.call("users.set", user="bob", addresses={"extension": "2002"})
    assert hr.say(("1", {"id": "new", "name": "Alice", "addresses": {"extension": "2001"}}),
                  ("2", {"name": "Carol", "addresses": {"upn": "carol@x"}})) == taken(changed=1, unchanged=1)
    assert user_of(console, "alice")["name"] == "Alice"


def test_an_entry_stays_with_its_user_when_the_columns_change(start):
    daemon, console, hr = start_office(start, {"id": "alice", "upn": "alice@x"}, {"id": "bob", "upn": "bob@x"})
    hr.say(("1", {"name": "One", "addresses": {"upn": "alice@x"}}))
    stop_and_start(daemon)
    console, hr = daemon.console(), Directory(daemon.feed("hr"))

    hr.say(("1", {"name": "One", "addresses": {"upn": "bob@x"}}))

    assert user_of(console, "alice")["name"] == "One" and "name" not in user_of(console, "bob")


# ---- what is no directory -------------------------------------------------------------------


def test_a_directory_must_be_wanted(start):
    daemon, console, hr = start_office(start, *people("alice"), directory={"use": False})

    hr.feed.say({"directory": "begin"}, {"entry": "1", "id": "bob"}, {"directory": "end", "complete": True})

    hr.feed.wait_errors(1)
    assert set(all_users(console)) == {"alice"}
    daemon.reload(sources=[feed_source("hr", "xmpp", directory=ON)])
    assert hr.say(("1", {"id": "bob"})) == taken(added=1)


@pytest.mark.parametrize("lines", [
    [{"entry": "1", "id": "bob"}], [{"directory": "end", "complete": True}], 
    [{"directory": "begin"}, {"entry": "1", "id": "a b"}],
    [{"directory": "begin"}, {"entry": ""}], [{"directory": "begin"}, {"entry": "1", "name": 7}], [{"directory": "middle"}],
    [{"directory": "begin"}, {"entry": "1", "addresses": {"fax": "1"}}]], ids=repr)
def test_lines_that_make_no_sense_are_errors_and_the_connection_goes_on(start, lines):
    _, console, hr = start_office(start, *people("alice"))

    hr.feed.say(*lines)

    hr.feed.wait_errors(1)
    assert set(all_users(console)) == {"alice"}
    assert hr.say(("1", {"id": "alice", "name": "Alice"})) == taken(changed=1)


def test_nothing_is_changed_before_the_end(start):
    daemon, console, hr = start_office(start, *people("alice"))
    hr.begin()
    hr.feed.say({"entry": "1", "id": "bob"}, {"address": "alice", "domain": "rich", "availability": "away"})
    until(lambda: console.source("hr")["details"]["lines"] == hr.feed.sent, "all was read")
    assert set(all_users(console)) == {"alice"}

    hr.feed.close()
    until(lambda: console.source("hr")["status"] != "up", "the daemon has seen it")
    assert set(all_users(console)) == {"alice"}
    hr = Directory(daemon.feed("hr"))
    assert hr.say(("2", {"id": "carol"})) == taken(added=1)
    assert set(all_users(console)) == {"alice", "carol"}


# ---- who goes -------------------------------------------------------------------------------


def test_who_is_not_named_any_more_goes_unless_the_directory_is_incomplete(start):
    daemon, console, hr = start_office(start, {"id": "s000", "extension": "2000"})
    console.call("users.set", user="s001", groups=["board"])
    hr.say(*staff(10))

    assert hr.say(*staff(4, 3), complete=False) == taken(unchanged=4)
    assert len(all_users(console)) == 10
    assert hr.say(*staff(8, 2)) == taken(unchanged=8, changed=2)
    assert set(all_users(console)) == {f"s{n:03}" for n in range(10)}, "two have other origins"
    assert "name" not in user_of(console, "s000") and "name" not in user_of(console, "s001")
    assert hr.say(*staff(7, 3)) == taken(unchanged=7, removed=1)
    assert console.error_of("users.get", user="s002").code == -32002
    wait_written(console)
    kill_and_start(daemon)
    assert set(all_users(daemon.console())) == {"s000", "s001", *(f"s{n:03}" for n in range(3, 10))}


@pytest.mark.parametrize("before, after, refused", [(100, 80, False), (100, 79, True), (10, 5, False), (10, 4, True),
                                                    (5, 0, False), (6, 0, True), (30, 24, False), (29, 23, True)])
def test_more_than_20_percent_and_more_than_5_are_not_removed_unasked(start, before, after, refused):
    daemon, console, hr = start_office(start, *people("alice"))
    assert hr.say(*staff(before)) == taken(added=before)
    known = everything(console)

    answer = hr.say(*staff(after))

    lost = before - after
    if not refused:
        assert answer == taken(unchanged=after, removed=lost)
        assert console.error_of("users.sync", source="hr").code == -32004
        return
    assert answer["directory"] == "refused" and str(lost) in answer["why"] and str(before) in answer["why"], answer
    assert everything(console) == known, "nothing was changed"
    assert console.error_of("users.sync", source="hr").code == -32006, "asked for, but not forced"
    assert everything(console) == known
    result = console.call("users.sync", source="hr", force=True)
    assert counts(result) == numbers(unchanged=after, removed=lost) and result["conflicts"] == 0
    assert set(all_users(console)) == {"alice", *(f"s{n:03}" for n in range(after))}
    assert console.error_of("users.sync", source="hr", force=True).code == -32004, "it is held no more"
    kill_and_start(daemon)
    assert len(all_users(daemon.console())) == after + 1


def test_a_forced_directory_that_was_acknowledged_survives_a_kill(start):
    daemon, console, hr = start_office(start, *people("alice"))
    hr.say(*staff(10))
    assert hr.say()["directory"] == "refused"
    wait_written(console)

    assert console.call("users.sync", source="hr", force=True)["removed"] == 10
    kill_and_start(daemon)

    assert set(all_users(daemon.console())) == {"alice"}


def test_a_directory_that_was_refused_gives_way_to_the_next_one(start):
    _, console, hr = start_office(start)
    hr.say(*staff(20))
    assert hr.say(*staff(2))["directory"] == "refused"

    assert hr.say(*staff(19)) == taken(unchanged=19, removed=1)

    assert console.error_of("users.sync", source="hr", force=True).code == -32004
    assert len(all_users(console)) == 19


def test_sync_of_nobody_and_of_nothing(start):
    _, console, _ = start_office(start)
    assert console.error_of("users.sync", source="nobody").code == -32002
    assert console.error_of("users.sync", source="hr").code == -32004
    assert console.error_of("users.sync").code == -32602
