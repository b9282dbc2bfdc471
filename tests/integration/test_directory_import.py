"""users.import, all or nothing, and the guards of import and reload. SPDX-License-Identifier: MIT"""

import json

import pytest

from presenced import people, until
from store_world import (ADMIN, ENDS, all_users, counts, ctl, ctl_json, everything, fields, numbers, origins, try_call, user_of,
                         wait_store)


def start_office(start, *users):
    daemon = start(ADMIN, users=users)
    console = daemon.console()
    wait_store(console)
    return daemon, console


def crew(count, first=0, **more):
    return [{"id": f"c{n:03}", "name": f"Crew {n}"} | more for n in range(first, first + count)]


def by_hand(console):
    """What is set by hand: {id: fields}."""
    return {one: dict(origins(console, one))["hand"] for one in all_users(console) if "hand" in dict(origins(console, one))}


def wanted(users):
    return {user["id"]: fields(user) for user in users}


# ---- what is taken --------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
def test_an_import_sets_the_whole_of_what_is_set_by_hand(start, end):
    daemon, console = start_office(start, {"id": "alice", "name": "Of File", "extension": "2001"})
    console.call("users.set", user="alice", name="By Hand", groups=["board"], addresses={"upn": "a@x"})
    console.call("users.set", user="bob", name="Bob")
    console.call("users.set", user="zoe", name="Zoe")
    users = [{"id": "alice", "groups": ["sales", "first floor"]}, {"id": "bob", "name": "Bob"},
             {"id": "carol", "name": "Çarol", "groups": [], "addresses": {"line": "7", "line@switch": "-"}}]

    assert console.call("users.import", users=users) == numbers(added=1, changed=1, unchanged=1)

    assert by_hand(console) == wanted(users) | {"zoe": {"name": "Zoe", "groups": [], "addresses": {}}}
    assert fields(user_of(console, "alice")) == {"name": "Of File", "groups": ["sales", "first floor"],
                                                 "addresses": {"extension": "2001"}}
    before = everything(console)
    end(daemon)
    assert everything(daemon.console()) == before


def test_lines_are_staged_on_their_connection_until_the_last(start):
    daemon, console = start_office(start, *people("alice"))
    other = daemon.console()

    assert console.call("users.import", users=crew(3), more=True) == {"staged": 3}
    assert console.call("users.import", users=crew(2, 3), more=True) == {"staged": 5}
    assert set(all_users(other)) == {"alice"}, "what is staged is nobody else's business"
    assert console.call("users.import", users=crew(1, 5)) == numbers(added=6)
    assert console.call("users.import", users=[]) == numbers()
    assert console.call("users.import", users=crew(1, 50), more=True) == {"staged": 1}
    console.close()
    assert set(by_hand(other)) == {f"c{n:03}" for n in range(6)}
    until(lambda: try_call(other, "users.import", users=crew(1, 90)) == numbers(added=1), "what was staged is forgotten")
    assert "c050" not in all_users(other)


@pytest.mark.parametrize("bad", [{"id": "a b"}, {"id": "x", "name": 7}, {"id": "x", "addresses": {"fax": "1"}}, {"name": "X"},
                                 {"id": "x", "groups": "sales"}, {"id": "x", "name": "a\nb"}], ids=repr)
def test_a_bad_user_is_named_and_nothing_of_all_is_taken(start, bad):
    _, console = start_office(start, *people("alice"))
    console.call("users.set", user="bob", name="Bob")
    before = everything(console)
    console.call("users.import", users=crew(3), more=True)

    error = console.error_of("users.import", users=[{"id": "good"}, bad, {"id": "better"}], more=True)

    assert error.code == -32602
    if "id" in bad:
        assert error.data["user"] == bad["id"] and bad["id"] in error.message
    assert everything(console) == before
    assert console.call("users.import", users=crew(1, 7)) == numbers(added=1), "what was staged was dropped"
    assert set(all_users(console)) == {"alice", "bob", "c007"}


@pytest.mark.parametrize("lines", [[["a", "b", "a"]], [["a", "b"], ["c", "a"]]], ids=repr)
def test_the_same_id_twice_is_refused(start, lines):
    _, console = start_office(start)
    for line in lines[:-1]:
        console.call("users.import", users=[{"id": one} for one in line], more=True)

    error = console.error_of("users.import", users=[{"id": one} for one in lines[-1]])

    assert (error.code, error.data.get("user")) == (-32602, "a")
    assert all_users(console) == {}
    assert console.call("users.import", users=[{"id": "d"}]) == numbers(added=1)


def test_a_line_has_at_most_1000_users(start):
    _, console = start_office(start)
    assert console.call("users.import", users=crew(1000)) == numbers(added=1000)
    error = console.error_of("users.import", users=crew(1001, 1000))
    assert error.code in (-32602, -32003), error
    assert len(all_users(console)) == 1000


# ---- replace --------------------------------------------------------------------------------


def test_replace_removes_by_hand_whoever_is_not_named(start):
    daemon, console = start_office(start, *people("alice", "c001"))
    console.call("users.import", users=crew(30))
    observer = daemon.console()
    observer.subscribe(all=True, demand=False)

    assert console.call("users.import", users=crew(13), more=True, replace=True) == {"staged": 13}
    assert len(by_hand(console)) == 30
    result = console.call("users.import", users=crew(13, 15), replace=True)

    assert result == numbers(unchanged=26, removed=4)
    left = {f"c{n:03}" for n in range(30) if n not in (13, 14, 28, 29)}
    assert set(by_hand(console)) == left
    observer.wait(lambda: set(observer.table) == left | {"alice"}, "the four are gone")

    result = console.call("users.import", users=[one for one in crew(28) if one["id"] in left - {"c001"}], replace=True)
    assert result == numbers(unchanged=25, changed=1), "the file still has c001"
    assert "c001" in all_users(console) and "c001" not in by_hand(console)


@pytest.mark.parametrize("before, after, refused", [(100, 80, False), (100, 79, True), (10, 5, False), (10, 4, True),
                                                    (5, 0, False), (6, 0, True)])
def test_replace_that_removes_more_than_20_percent_and_more_than_5_must_be_forced(start, before, after, refused):
    daemon, console = start_office(start, *people("alice"))
    console.call("users.import", users=crew(before))
    known = everything(console)
    lost = before - after

    forecast = console.call("users.import", users=crew(after), replace=True, force=True, dry_run=True)
    assert forecast == numbers(unchanged=after, removed=lost) and everything(console) == known
    if refused:
        error = console.error_of("users.import", users=crew(after), replace=True)
        assert error.code == -32006
        assert {key: int(value) for key, value in error.data.items()} == {"removed": lost, "of": before}
        assert everything(console) == known
        ENDS[1](daemon)
        console = daemon.console()
        assert everything(console) == known
    result = console.call("users.import", users=crew(after), replace=True, force=refused)

    assert result == forecast
    assert set(all_users(console)) == {"alice", *(one["id"] for one in crew(after))}


def test_dry_run_says_what_would_change_and_changes_nothing(start):
    _, console = start_office(start, *people("alice"))
    console.call("users.import", users=crew(10))
    known = everything(console)
    users = crew(3) + crew(4, 3, name="Another") + crew(2, 50)

    assert console.call("users.import", users=users[:5], more=True) == {"staged": 5}
    assert console.call("users.import", users=users[5:], replace=True, dry_run=True) == numbers(2, 4, 3, 3)
    assert everything(console) == known
    assert console.call("users.import", users=users, replace=True) == numbers(2, 4, 3, 3)
    assert by_hand(console) == wanted(users)


def test_watched_users_of_an_import_are_asked_for(start):
    daemon, console = start_office(start)
    feed = daemon.feed()
    console.subscribe(users=["c000", "c001", "c002"])

    console.call("users.import", users=crew(2))
    feed.wait_watched("c000", "c001")
    console.call("users.import", users=crew(1), replace=True)
    feed.wait(lambda: feed.watched == {"c000"}, "who was removed is watched no more")


# ---- reload ---------------------------------------------------------------------------------


@pytest.mark.parametrize("before, after, refused", [(100, 80, False), (100, 79, True), (10, 5, False), (10, 4, True),
                                                    (6, 0, True)])
def test_a_file_that_loses_more_than_20_percent_is_refused_as_a_whole(start, before, after, refused):
    daemon, console = start_office(start, *people(*(f"f{n:03}" for n in range(before)), extension="2001"))
    console.call("users.set", user="f000", name="By Hand")
    console.call("users.set", user="zoe", name="By Hand")
    known = everything(console)
    daemon.write_users(people(*(f"f{n:03}" for n in range(before - after, before)), "new", extension="2001"))
    lost = before - after

    if refused:
        error = console.error_of("config.reload")
        assert error.code == -32006
        for words in (str(lost), str(before), "--force"):
            assert words in error.message, error.message
        assert everything(console) == known
        assert ctl(daemon, "reload")[0] == 1
        assert everything(console) == known
        result = console.call("config.reload", force=True)
    else:
        result = console.call("config.reload")

    assert counts(result["users"]) == numbers(1, 1, after, lost - 1), "f000 is changed: it is set by hand as well"
    left = {"f000", "zoe", "new"} | {f"f{n:03}" for n in range(lost, before)}
    until(lambda: set(all_users(console)) == left, "the new file")
    ENDS[0](daemon)
    assert len(all_users(daemon.console())) == after + 3


def test_a_refused_file_is_refused_with_its_configuration(start):
    daemon, console = start_office(start, *people(*(f"f{n}" for n in range(20))))
    daemon.write_users([])
    daemon.write_config(sources=[])

    assert console.error_of("config.reload").code == -32006

    assert console.source("switch")["name"] == "switch", "refused as a whole"
    daemon.write_users(people(*(f"f{n}" for n in range(20))))
    console.call("config.reload")
    assert console.call("sources.list")["sources"] == []


# ---- presencectl ----------------------------------------------------------------------------

ODD = [{"id": "a\"b", "name": 'He said "no", twice', "groups": ["a, b", "c"],
        "addresses": {"line@switch": "-", "line": "1;2"}},
       {"id": "zoë", "name": "Zoë", "groups": [],
        "addresses": {"sip_uri": "sip:zoe@example.test", "line@other-switch": "7"}},
       {"id": "plain"}]


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["csv", "json"])
def test_what_presencectl_exports_can_be_imported_and_is_the_same(start, form):
    daemon, console = start_office(start)
    console.call("users.import", users=ODD)
    before = everything(console)
    file = daemon.folder / "export"
    status, out, _ = ctl(daemon, *form, "users", "export")
    assert status == 0 and ctl(daemon, *form, "users", "export", file)[0] == 0
    assert file.read_text(encoding="utf-8") == out
    console.call("users.import", users=[], replace=True, force=True)
    assert all_users(console) == {}

    assert ctl(daemon, "users", "import", file)[0] == 0
    assert everything(console) == before
    assert ctl(daemon, "users", "import", "-", text=out)[0] == 0
    assert everything(console) == before


def test_presencectl_changes_users(start):
    daemon, console = start_office(start, {"id": "alice", "name": "Of File"})
    for arguments in (["set", "alice", "name=By Hand", "groups=a;b", "line@switch=7"], ["set", "alice", "name="],
                      ["set", "bob", "name=Bob"], ["rename", "bob", "robert"], ["set", "carol", "line=7"], ["remove", "carol"]):
        status, out, err = ctl(daemon, "users", *arguments)
        assert status == 0, (arguments, out, err)
    assert fields(user_of(console, "alice")) == {"name": "Of File", "groups": ["a", "b"], "addresses": {"line@switch": "7"}}
    assert set(all_users(console)) == {"alice", "robert"}
    assert ctl(daemon, "users", "remove", "nobody")[0] == 1
    assert ctl(daemon, "users", "set", "alice", "fax=1")[0] in (1, 2)

    file = daemon.folder / "few.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in crew(10)), encoding="utf-8")
    assert ctl(daemon, "users", "import", "--dry-run", file)[0] == 0
    assert len(all_users(console)) == 2
    assert ctl(daemon, "users", "import", file)[0] == 0
    file.write_text('{"id":"c000"}\n', encoding="utf-8")
    assert ctl(daemon, "users", "import", "--replace", file)[0] == 1
    assert len(by_hand(console)) == 12
    assert ctl(daemon, "users", "import", "--replace", "--force", file)[0] == 0
    assert set(by_hand(console)) == {"c000"}
    assert {one["id"] for one in ctl_json(daemon, "users", "export")} == {"alice", "c000"}
