"""Sets of users that change while a console looks at them. SPDX-License-Identifier: MIT"""

import pytest

from presenced import BUSY, IDLE, people


def users(**groups):
    """alice="sales;board" is a user."""
    return [{"id": user, "groups": value} for user, value in groups.items()]


def names_of(console, method):
    """The users of the notifications of this kind that were kept, which are forgotten."""
    names = [line["params"]["user"] for line in console.notifications if line["method"] == method]
    console.notifications.clear()
    return names


def replace(console, **params):
    """A new set on the same connection; who was sent for it."""
    console.notifications.clear()
    console.subscribe(**params)
    return names_of(console, "presence.changed")


@pytest.fixture
def office(start):
    """A daemon with a feed that says everybody is free, and a console."""
    daemon = start({"monitoring": {"linger": "1h"}},
                   users=users(alice="sales", bob="sales;board", carol="board", dave=""))
    feed = daemon.feed(truth={user: {"telephony": IDLE, "rich": {"availability": "available"}}
                              for user in ("alice", "bob", "carol", "dave", "erin")})
    console = daemon.console()
    console.call("presence.get", users=["alice", "bob", "carol", "dave"], wait=10000)
    return daemon, feed, console


def test_user_who_is_in_the_set_by_several_names_is_sent_once(office):
    _, _, console = office

    assert sorted(replace(console, users=["bob", "bob"], groups=["sales", "board"])) == ["alice", "bob", "carol"]


def test_users_in_both_sets_are_not_sent_again_and_dropped_ones_are_silent(office):
    _, feed, console = office
    assert sorted(replace(console, users=["alice", "bob"])) == ["alice", "bob"]

    assert replace(console, users=["bob", "carol"]) == ["carol"]

    feed.set("alice", telephony=BUSY)
    feed.set("carol", telephony=BUSY)
    console.wait_overall("carol", "busy")
    assert names_of(console, "presence.changed") == ["carol"]


def test_user_in_both_sets_who_changed_in_between_is_sent(office):
    _, feed, console = office
    replace(console, users=["alice", "bob"])
    feed.set("bob", telephony=BUSY)
    console.wait_overall("bob", "busy")

    assert replace(console, users=["bob"]) == []
    assert console.presence("bob") == console.table["bob"]


def test_set_of_groups_is_replaced_by_a_set_of_users_and_by_all(office):
    _, _, console = office
    assert sorted(replace(console, groups=["sales"])) == ["alice", "bob"]
    assert sorted(replace(console, groups=["board"])) == ["carol"]
    assert sorted(replace(console, all=True)) == ["alice", "dave"]
    assert replace(console, users=["dave"]) == []


def test_unsubscribed_console_is_told_nothing_more(office):
    _, feed, console = office
    replace(console, users=["alice"])
    other = office[0].console()
    other.subscribe(users=["alice"])

    console.call("presence.unsubscribe")
    console.call("presence.unsubscribe")
    feed.set("alice", telephony=BUSY)
    other.wait_overall("alice", "busy")
    console.barrier()

    assert names_of(console, "presence.changed") == []


def test_user_who_leaves_the_group_is_removed_as_left_and_comes_back(office):
    daemon, _, console = office
    replace(console, groups=["sales"])

    daemon.reload(users=users(alice="board", bob="sales;board", carol="board", dave=""))
    assert console.notification("presence.removed") | {"seq": 0} == {"user": "alice", "seq": 0, "reason": "left"}
    assert set(console.table) == {"bob"}

    daemon.reload(users=users(alice="sales", bob="sales;board", carol="board", dave=""))
    console.wait(lambda: "alice" in console.table, "alice comes back")


def test_user_who_leaves_one_of_two_groups_of_the_set_stays(office):
    daemon, _, console = office
    replace(console, groups=["sales", "board"])

    daemon.reload(users=users(alice="sales", bob="board", carol="", dave=""))

    assert console.notification("presence.removed")["user"] == "carol"
    console.barrier()
    assert set(console.table) == {"alice", "bob"}


def test_user_who_is_removed_is_removed_for_whoever_named_or_grouped_or_has_all(office):
    daemon, _, _ = office
    consoles = [daemon.console() for _ in range(3)]
    for console, params in zip(consoles, ({"users": ["alice"]}, {"groups": ["sales"]}, {"all": True})):
        console.subscribe(**params)

    daemon.reload(users=users(bob="sales;board", carol="board", dave=""))

    for console in consoles:
        removed = console.notification("presence.removed")
        assert (removed["user"], removed["reason"]) == ("alice", "removed")


def test_unknown_id_joins_the_set_when_it_appears(office):
    daemon, _, console = office
    console.subscribe(users=["erin"], groups=["interns"])
    assert console.table == {}

    daemon.reload(users=users(alice="sales", erin="", frank="interns"))

    console.wait_overall("erin", "available")
    console.wait(lambda: "frank" in console.table, "frank by his group")


def test_change_of_the_name_of_a_user_is_an_event_of_users(office):
    daemon, _, console = office
    console.call("events.subscribe", topics=["users"])

    daemon.reload(users=[{"id": "alice", "groups": "sales", "name": "Alice"}] + users(bob="board", dave=""))

    seen = [console.notification("users.changed") for _ in range(3)]
    assert {"user": "alice", "name": "Alice", "groups": ["sales"]} in seen
    assert {"user": "bob", "groups": ["board"]} in seen
    assert {"user": "carol", "removed": True} in seen


def test_resumed_console_is_sent_only_what_it_missed(office):
    daemon, feed, console = office
    console.subscribe(groups=["sales", "board"])
    since = {"instance": console.instance, "seq": console.position}
    console.close()
    feed.set("bob", telephony=BUSY)
    daemon.reload(users=users(alice="", bob="sales;board", dave=""))
    other = daemon.console()
    other.subscribe(users=["bob"])
    other.wait_overall("bob", "busy")

    again = daemon.console()
    result = again.subscribe(groups=["sales", "board"], since=since)

    assert result["resumed"] is True
    told = [(line["params"]["user"], line["params"].get("reason")) for line in again.notifications
            if "user" in line["params"]]
    assert sorted(told, key=str) == [("alice", "left"), ("bob", None), ("carol", "removed")]


def test_position_of_another_instance_is_not_resumed(office):
    daemon, _, console = office
    console.subscribe(users=["alice"])
    since = {"instance": console.instance, "seq": console.position}
    console.close()
    daemon.stop()
    daemon.start()

    again = daemon.console()
    result = again.subscribe(users=["alice"], since=since)

    assert result["resumed"] is False
    assert result["instance"] != since["instance"]
    assert set(again.table) == {"alice"}


def test_position_from_the_future_is_not_resumed(office):
    _, _, console = office

    result = console.subscribe(users=["alice"], since={"instance": console.call("server.info")["instance"],
                                                       "seq": 2**52})

    assert result["resumed"] is False
    assert set(console.table) == {"alice"}


def test_console_that_is_behind_more_removals_than_are_remembered_begins_anew(start):
    many = people(*(f"u{n}" for n in range(10500)))
    daemon = start(users=[{"id": "alice"}, *many])
    console = daemon.console(checked=0.001)
    console.subscribe(all=True, demand=False)
    since = {"instance": console.instance, "seq": console.position}
    daemon.reload(users=[{"id": "alice"}, {"id": "bob"}])
    console.wait(lambda: len(console.table) == 2 and "bob" in console.table, "10,500 removals")

    again = daemon.console(checked=0.001)
    assert again.subscribe(all=True, demand=False, since=since)["resumed"] is False
    assert set(again.table) == {"alice", "bob"}


def test_removal_before_a_replacement_is_not_lost_though_the_console_was_not_reading(start):
    """The set is small beside the directory, so that the synchronisation does not walk the whole log."""
    crowd = users(**{f"u{i}": "" for i in range(500)})
    daemon = start(users=users(x1="g", x2="g") + crowd)
    console = daemon.console(checked=0)
    console.subscribe(groups=["g"], demand=False)
    ids = [f"u{i}" for i in range(500)]
    asked = [console.request("presence.get", users=ids) for _ in range(3)]  # the socket is full, the daemon still reads

    daemon.reload(users=users(x1="g") + crowd)
    asked.append(console.request("presence.subscribe", groups=["g"], demand=False))
    console.synced = False
    for request in asked:
        console.answer(request)
    console.wait(lambda: console.synced, "presence.synced")

    assert set(console.table) == {"x1"}
