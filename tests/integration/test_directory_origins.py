"""Users come by hand, from the file and from sources, and are merged field by field. SPDX-License-Identifier: MIT"""

import contextlib

import pytest

from presenced import IDLE, NOBODY, Console, console_socket, feed_source, people, reload_by, until
from store_world import (ADMIN, ENDS, Directory, all_users, changes, counts, everything, fields, history, kinds, note_of,
                         numbers, origins, user_of, wait_store, wait_written)

HR = feed_source("hr", "xmpp", directory={"use": True, "match": ["upn", "extension"]})
EMPTY = {"name": "", "groups": [], "addresses": {}}
IN_FILE = {"id": "alice", "name": "Of File", "groups": "", "extension": "2001"}
AT_HR = {"id": "alice", "name": "Of Hr", "groups": ["staff", "third floor"],
         "addresses": {"extension": "9", "upn": "alice@example.test"}}


def start_office(start, *users, **config):
    """A daemon with these users in its file, a feed that knows users, and an administrator."""
    daemon = start(ADMIN | config, users=users or [IN_FILE], sources=[feed_source("switch", addresses="line"), HR])
    console = daemon.console()
    wait_store(console)
    return daemon, console, Directory(daemon.feed("hr"))


def merged(console, user="alice"):
    return fields(user_of(console, user))


def same_after(daemon, end):
    """All that the directory and the notes hold is the same after the restart; the new administrator."""
    with contextlib.closing(daemon.console()) as console:
        before = everything(console)
        wait_written(console)
    end(daemon)
    console = daemon.console()
    assert everything(console) == before
    return console


# ---- the merge ------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
def test_hand_wins_over_file_over_source_field_by_field(start, end):
    daemon, console, hr = start_office(start)
    assert hr.say(("4711", AT_HR)) == {"directory": "taken", "conflicts": 0} | numbers(changed=1)
    assert merged(console) == {"name": "Of File", "groups": ["staff", "third floor"],
                               "addresses": {"extension": "2001", "upn": "alice@example.test"}}

    set_by_hand = {"name": "By Hand", "addresses": {"voicemail": "8123", "line@switch": "77", "line": "78"}}
    result = console.call("users.set", user="alice", **set_by_hand)

    assert result["changed"] is True
    expected = {"name": "By Hand", "groups": ["staff", "third floor"], "addresses": {
        "extension": "2001", "upn": "alice@example.test", "voicemail": "8123", "line@switch": "77", "line": "78"}}
    assert fields(result["user"]) == merged(console) == expected
    assert fields(all_users(console)["alice"]) == expected
    assert origins(console, "alice") == [
        ("hand", EMPTY | set_by_hand), ("file", EMPTY | {"name": "Of File", "addresses": {"extension": "2001"}}),
        ("hr", EMPTY | {key: AT_HR[key] for key in ("name", "groups", "addresses")})]
    assert [one["key"] for one in user_of(console, "alice")["origins"]][1:] == ["alice", "4711"]
    same_after(daemon, end)


def test_null_takes_back_and_what_is_absent_stays(start):
    daemon, console, hr = start_office(start)
    hr.say(("4711", AT_HR))
    console.call("users.set", user="alice", name="By Hand", groups=["board"],
                 addresses={"extension": "1", "upn": "boss@example.test", "line@switch": "-"})

    def after(**params):
        result = console.call("users.set", user="alice", **params)
        assert result["user"] == user_of(console, "alice")
        return result["changed"], merged(console)

    hand = {"name": "By Hand", "groups": ["board"],
            "addresses": {"extension": "1", "upn": "boss@example.test", "line@switch": "-"}}
    assert after() == (False, hand)
    assert after(name="By Hand", groups=["board"], addresses={"extension": "1"}) == (False, hand)
    assert after(addresses={"extension": None}) == (True, hand | {"addresses": hand["addresses"] | {"extension": "2001"}})
    assert after(addresses={"upn": None, "line@switch": None}) == (
        True, hand | {"addresses": {"extension": "2001", "upn": "alice@example.test"}})
    assert after(name=None) == (True, {"name": "Of File", "groups": ["board"], "addresses": {
        "extension": "2001", "upn": "alice@example.test"}})
    assert after(groups=None)[1]["groups"] == ["staff", "third floor"]
    assert after(name=None, addresses={"xmpp": None})[0] is False
    assert [origin for origin, said in origins(console, "alice") if said != EMPTY] == ["file", "hr"]


def test_a_field_that_the_better_origin_loses_comes_from_the_next(start):
    daemon, console, hr = start_office(start)
    hr.say(("4711", AT_HR))

    reload_by(console_of(daemon, [IN_FILE | {"name": "", "extension": ""}]))
    assert merged(console) == EMPTY | {key: AT_HR[key] for key in ("name", "groups", "addresses")}
    reload_by(console_of(daemon, []))
    assert [origin for origin, _ in origins(console, "alice")] == ["hr"]
    hr.say()
    assert console.error_of("users.get", user="alice").code == -32002


def console_of(daemon, users):
    """An administrator, after the file has been written."""
    daemon.write_users(users)
    return daemon.console()


def test_origins_and_addresses_are_for_administrators(start, as_root):
    daemon = start({"console": [console_socket("presenced", ["read"])]}, users=[IN_FILE])
    console = daemon.console(uid=NOBODY)
    assert console.call("users.get", user="alice")["user"] == {"id": "alice", "name": "Of File", "groups": []}
    for method, params in (("users.set", {"user": "alice"}), ("users.remove", {"user": "alice"}),
                           ("users.rename", {"user": "alice", "to": "b"}), ("users.import", {"users": []}),
                           ("users.sync", {"source": "hr"}), ("config.reload", {})):
        error = console.error_of(method, **params)
        assert (error.code, error.data) == (-32001, {"needs": "admin"}), method


# ---- by hand --------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
def test_a_user_that_nobody_has_is_added_told_and_kept(start, end):
    daemon, console, _ = start_office(start)
    observer = daemon.console()
    observer.call("events.subscribe", topics=["users"])
    observer.subscribe(all=True, demand=False)

    result = console.call("users.set", user="zoë", name="Zoë", groups=["sales"], addresses={"line": "2009"})

    assert result["changed"] is True
    assert observer.notification("users.changed")["user"] == "zoë"
    observer.wait(lambda: "zoë" in observer.table, "the presence of the new user")
    assert origins(console, "zoë") == [("hand", {"name": "Zoë", "groups": ["sales"], "addresses": {"line": "2009"}})]
    assert "zoë" in all_users(same_after(daemon, end))


@pytest.mark.parametrize("field, params", [
    ("user", {"user": ""}), ("user", {"user": "a b"}), ("user", {"user": "a" * 129}), ("user", {"user": 1}),
    ("name", {"name": 1}), ("name", {"name": "a\nb"}), ("name", {"name": "a" * 1025}), ("groups", {"groups": "sales"}),
    ("groups", {"groups": [1]}), ("groups", {"groups": ["a\tb"]}),
    ("addresses", {"addresses": []}), ("fax", {"addresses": {"fax": "1"}}), ("line", {"addresses": {"line": 1}}),
    ("line@", {"addresses": {"line@": "1"}}), ("line", {"addresses": {"line": "a\nb"}}),
], ids=repr)
def test_bad_values_are_refused_and_change_nothing(start, field, params):
    _, console, _ = start_office(start)
    before = everything(console)

    error = console.error_of("users.set", **{"user": "alice"} | params)

    assert error.code == -32602 and error.data["field"] in (field, "addresses"), error
    assert everything(console) == before


def test_remove_takes_back_what_is_by_hand_only(start):
    daemon, console, hr = start_office(start)
    hr.say(("4711", AT_HR))
    console.call("users.set", user="alice", name="By Hand")
    console.call("users.set", user="zoe", name="Zoe")
    observer = daemon.console()
    observer.subscribe(all=True, demand=False)

    assert console.call("users.remove", user="alice") == {"removed": False, "origins": ["file", "hr"]}
    assert merged(console)["name"] == "Of File"
    assert console.call("users.remove", user="zoe") == {"removed": True, "origins": []}
    observer.wait(lambda: set(observer.table) == {"alice"}, "zoe is gone")
    assert console.error_of("users.get", user="zoe").code == -32002

    error = console.error_of("users.remove", user="alice")
    assert (error.code, error.data) == (-32006, {"origins": ["file", "hr"]})
    assert console.error_of("users.remove", user="zoe").code == -32002
    assert set(all_users(console)) == {"alice"}


# ---- rename ---------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
def test_all_that_is_known_of_a_user_goes_over_to_the_new_id(start, end):
    daemon, console, hr = start_office(start, IN_FILE, {"id": "bob"})
    hr.say(("4711", AT_HR))
    switch = daemon.feed("switch", truth={"2001": {"telephony": IDLE}})
    console.call("users.set", user="alice", groups=["board"])
    note = console.call("notes.set", user="alice", text="married")["note"]
    watcher = daemon.console()
    watcher.subscribe(users=["alice", "alice.b"])
    watcher.wait_overall("alice", "available")
    until(lambda: changes(history(console, "alice")), "a row of history")
    before = user_of(console, "alice")

    renamed = console.call("users.rename", user="alice", to="alice.b")["user"]

    assert fields(renamed) == fields(before) and renamed["id"] == "alice.b"
    assert [one["origin"] for one in renamed["origins"]] == ["hand", "file", "hr"]
    watcher.wait(lambda: set(watcher.table) == {"alice.b"}, "the new id instead of the old one")
    watcher.wait_overall("alice.b", "available")
    assert watcher.table["alice.b"]["note"] == note
    rows = until(lambda: "renamed" in kinds(rows := history(console, "alice.b")) and rows, "the row about it")
    row = next(row for row in rows if row["kind"] == "renamed")
    assert row["from"] == "alice" and any(one["id"] < row["id"] for one in changes(rows))
    for method in ("users.get", "history.list"):
        assert console.error_of(method, user="alice").code == -32002

    console = same_after(daemon, end)
    rows = history(console, "alice.b")
    assert "renamed" in kinds(rows) and rows[-1]["kind"] in ("started", "change")
    reload_by(console)
    hr = Directory(daemon.feed("hr"))
    assert hr.say(("4711", AT_HR)) == {"directory": "taken", "conflicts": 0} | numbers(unchanged=1)
    assert set(all_users(console)) == {"alice.b", "bob"}
    assert fields(user_of(console, "alice.b")) == fields(before)
    assert switch.errors == []


def test_rename_to_what_exists_or_is_no_id_is_refused(start):
    _, console, _ = start_office(start, IN_FILE, {"id": "bob"})
    before = everything(console)

    assert console.error_of("users.rename", user="alice", to="bob").code == -32006
    assert console.error_of("users.rename", user="alice", to="alice").code == -32006
    assert console.error_of("users.rename", user="zoe", to="bob2").code == -32002
    for bad in ("", "a b", "a" * 129, "a\u0001", 7):
        error = console.error_of("users.rename", user="alice", to=bad)
        assert (error.code, error.data) == (-32602, {"field": "to"}), bad
    assert everything(console) == before


def test_the_old_id_is_free_after_a_rename_and_two_can_swap_their_ids(start):
    daemon, console, _ = start_office(start, IN_FILE, {"id": "bob", "name": "Bob"})
    note = console.call("notes.set", user="bob", text="of bob")["note"]
    for user, to in (("alice", "third"), ("bob", "alice"), ("third", "bob")):
        console.call("users.rename", user=user, to=to)

    for _ in range(2):
        assert merged(console, "alice")["name"] == "Bob" and merged(console, "bob")["name"] == "Of File"
        assert note_of(console, "alice") == note and note_of(console, "bob") is None
        reload_by(console)
    console = same_after(daemon, ENDS[1])
    assert merged(console, "alice")["name"] == "Bob"
    console.call("users.rename", user="alice", to="carol")
    console.call("users.set", user="alice", name="A New One")
    assert note_of(console, "alice") is None and note_of(console, "carol") == note


# ---- addresses ------------------------------------------------------------------------------


def test_another_address_is_unwatched_and_watched_in_one_turn(start):
    daemon, console, _ = start_office(start, {"id": "alice", "line": "2001"})
    switch = daemon.feed("switch", truth={"2001": {"telephony": IDLE}})
    watcher = daemon.console()
    watcher.subscribe(users=["alice"])
    watcher.wait_overall("alice", "available")
    watcher.notifications.clear()

    console.call("users.set", user="alice", addresses={"line": "2002"})

    switch.wait(lambda: switch.watched == {"2002"}, "2002 instead of 2001")
    assert switch.lines == [{"watch": "2001"}, {"unwatch": "2001"}, {"watch": "2002"}]
    watcher.wait(lambda: watcher.table["alice"]["telephony"]["status"] == "requesting", "the old state is dropped")
    seen = [one["params"]["telephony"]["status"] for one in watcher.notifications if one["method"] == "presence.changed"]
    assert seen == ["requesting"], "one change, not two"
    console.call("users.set", user="alice", addresses={"line": None})
    watcher.wait_overall("alice", "available")


def test_a_change_by_hand_counts_in_a_reload_as_nothing(start):
    daemon, console, _ = start_office(start, IN_FILE, *people("bob", "carol"))
    console.call("users.set", user="alice", name="By Hand")
    console.call("users.set", user="zoe")

    result = console.call("config.reload")

    assert counts(result["users"]) == numbers(unchanged=3)
    assert merged(console)["name"] == "By Hand" and "zoe" in all_users(console)
    with contextlib.closing(Console(daemon.folder / "presenced.sock")) as other:
        assert all_users(other) == all_users(console)
