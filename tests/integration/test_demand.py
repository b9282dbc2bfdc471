"""Who is watched, and for how long. SPDX-License-Identifier: MIT"""

import pytest

from presenced import IDLE, feed_source, people, until

ON_DEMAND = {"monitoring": {"linger": "1s"}}


def lines_source(name="switch", **options):
    return feed_source(name, addresses="line", **options)


def watched(daemon):
    with_admin = daemon.console()
    return lambda: with_admin.call("server.stats")["watched"]


def test_nobody_is_watched_while_nobody_asks(start):
    daemon = start(ON_DEMAND, users=people("alice"))
    feed = daemon.feed()
    console = daemon.console()

    console.call("presence.get", users=["alice"])
    console.call("presence.explain", user="alice")
    console.call("users.list")
    console.call("sources.list")
    console.call("events.subscribe", topics=["users", "sources"])
    console.subscribe(all=True, demand=False)
    console.barrier()

    assert watched(daemon)() == 0
    assert feed.lines == []
    assert console.table["alice"]["telephony"]["status"] == "not_requested"


def test_exactly_those_who_are_asked_for_are_watched_and_unwatched_after_linger(start):
    daemon = start(ON_DEMAND, users=people("alice", "bob", "carol"))
    feed = daemon.feed()
    console = daemon.console()
    console.subscribe(users=["alice", "carol", "zoe"])

    feed.wait_watched("alice", "carol")
    assert feed.watched == {"alice", "carol"}

    console.close()
    feed.wait(lambda: feed.watched == set(), "unwatch of both")
    assert sorted(map(str, feed.lines)) == sorted(map(str, [
        {"watch": "alice"}, {"watch": "carol"}, {"unwatch": "alice"}, {"unwatch": "carol"}]))


def test_state_is_dropped_when_demand_ends(start):
    daemon = start(ON_DEMAND, users=people("alice"))
    daemon.feed(truth={"alice": {"telephony": IDLE}})
    observer = daemon.console()
    observer.subscribe(users=["alice"], demand=False)
    asking = daemon.console()
    asking.subscribe(users=["alice"])
    observer.wait_overall("alice", "available")

    asking.call("presence.unsubscribe")

    observer.wait(lambda: observer.table["alice"]["telephony"]["status"] == "not_requested", "nobody asks any more")
    assert observer.call("presence.explain", user="alice")["demand"] == []


def test_user_is_watched_until_the_last_of_two_consoles_leaves(start):
    daemon = start({"monitoring": {"linger": "1s"}}, users=people("alice", "bob"))
    feed = daemon.feed()
    one, two = daemon.console(), daemon.console()
    one.subscribe(users=["alice", "bob"])
    two.subscribe(users=["alice"])
    feed.wait_watched("alice", "bob")

    one.close()
    feed.wait(lambda: feed.watched == {"alice"}, "only bob is unwatched")
    two.close()
    feed.wait(lambda: feed.watched == set(), "nobody is watched")


def test_demand_that_comes_back_within_linger_costs_the_source_nothing(start):
    daemon = start({"monitoring": {"linger": "1h"}}, users=people("alice"))
    feed = daemon.feed(truth={"alice": {"telephony": IDLE}})
    console = daemon.console()
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "available")
    console.close()

    again = daemon.console()
    until(lambda: [row["by"] for row in again.call("presence.explain", user="alice")["demand"]] == ["linger"], "linger")
    again.subscribe(users=["alice"])

    assert again.table["alice"]["overall"] == "available"
    assert feed.lines == [{"watch": "alice"}]


def test_replaced_subscription_moves_the_demand(start):
    daemon = start({"monitoring": {"linger": "1s"}}, users=people("alice", "bob", "carol"))
    feed = daemon.feed()
    console = daemon.console()
    console.subscribe(users=["alice", "bob"])
    feed.wait_watched("alice", "bob")

    console.subscribe(users=["bob", "carol"])

    feed.wait(lambda: feed.watched == {"bob", "carol"}, "carol instead of alice")
    assert feed.was_told("unwatch", "bob") == 0


def test_get_with_wait_demands_for_as_long_as_linger(start):
    daemon = start(ON_DEMAND, users=people("alice"))
    feed = daemon.feed(truth={"alice": {"telephony": IDLE, "rich": {"availability": "away"}}})

    daemon.console().call("presence.get", users=["alice"], wait=5000)

    feed.wait(lambda: feed.lines == [{"watch": "alice"}, {"unwatch": "alice"}], "watch, and unwatch after linger")


def test_always_watches_everybody_and_new_users(start):
    daemon = start({"monitoring": {"mode": "always"}}, users=people("alice", "bob"))
    feed = daemon.feed()

    feed.wait_watched("alice", "bob")
    daemon.reload(users=people("alice", "carol"))
    feed.wait(lambda: feed.watched == {"alice", "carol"}, "carol instead of bob")
    assert [row["by"] for row in daemon.console().call("presence.explain", user="alice")["demand"]] == ["always"]

    daemon.reload(monitoring={"mode": "on-demand", "linger": "1s"})
    feed.wait(lambda: feed.watched == set(), "nobody asks")


def test_members_who_join_a_group_are_watched(start):
    daemon = start({"monitoring": {"linger": "1s"}}, users=[{"id": "alice", "groups": "sales"}, {"id": "bob", "groups": ""}])
    feed = daemon.feed()
    console = daemon.console()
    console.subscribe(groups=["sales"])
    feed.wait_watched("alice")

    daemon.reload(users=[{"id": "alice", "groups": ""}, {"id": "bob", "groups": "sales"}])

    feed.wait(lambda: feed.watched == {"bob"}, "bob instead of alice")


def test_address_may_be_another_one_at_one_source_and_minus_is_not_here(start):
    daemon = start(ON_DEMAND, sources=[lines_source("switch"), lines_source("switch2")],
                   users=[{"id": "alice", "line": "2001", "line@switch2": "72001"},
                          {"id": "bob", "line": "2002", "line@switch2": "-"},
                          {"id": "carol", "line": "", "line@switch2": "72003"},
                          {"id": "dave", "line": "2004", "line@switch2": ""}])
    one, two = daemon.feed("switch"), daemon.feed("switch2")
    console = daemon.console()
    console.subscribe(all=True)

    one.wait(lambda: one.watched == {"2001", "2002", "2004"}, "the plain column")
    two.wait(lambda: two.watched == {"72001", "72003", "2004"}, "the column of the source")


def test_line_defaults_to_the_first_extension(start):
    daemon = start(ON_DEMAND, sources=[lines_source()], users=[{"id": "alice", "extension": "2001;2002", "line": ""},
                                                              {"id": "bob", "extension": "2003", "line": "SEP7"}])
    feed = daemon.feed()
    daemon.console().subscribe(all=True)

    feed.wait(lambda: feed.watched == {"2001", "SEP7"}, "the first extension, or the line")


def test_two_users_with_one_address_are_one_watch(start):
    daemon = start(ON_DEMAND, sources=[lines_source()], users=people("alice", "bob", line="2001"))
    feed = daemon.feed(truth={"2001": {"telephony": IDLE}})
    one, two = daemon.console(), daemon.console()
    one.subscribe(users=["alice"])
    two.subscribe(users=["bob"])
    one.wait_overall("alice", "available")
    two.wait_overall("bob", "available")

    assert feed.was_told("watch", "2001") == 1
    one.close()
    daemon_sees = daemon.console()
    until(lambda: not daemon_sees.call("presence.explain", user="alice")["watched"], "alice is not watched any more")
    assert feed.was_told("unwatch", "2001") == 0
    two.close()
    feed.wait(lambda: feed.was_told("unwatch", "2001") == 1, "one unwatch")


def test_changed_address_is_unwatched_and_the_new_one_watched(start):
    daemon = start(ON_DEMAND, sources=[lines_source()], users=people("alice", line="2001"))
    feed = daemon.feed(truth={"2001": {"telephony": IDLE}})
    console = daemon.console()
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "available")

    daemon.reload(users=people("alice", line="2002"))

    feed.wait(lambda: feed.watched == {"2002"}, "2002 instead of 2001")
    console.wait(lambda: console.table["alice"]["telephony"]["status"] == "requesting", "the old state is dropped")


@pytest.mark.parametrize("served, expected", [({"groups": ["sales"]}, ["alice", "bob"]), ({"match": "a*"}, ["alice", "anna"]),
                                              ({"groups": ["sales"], "match": "a*"}, ["alice"])], ids=str)
def test_source_is_asked_only_about_those_it_serves(start, served, expected):
    daemon = start(ON_DEMAND, sources=[feed_source("switch", users=served)],
                   users=people("alice", "bob", groups="sales") + people("anna", "carol", groups="board"))
    feed = daemon.feed()
    console = daemon.console()
    console.subscribe(all=True)

    feed.wait(lambda: feed.watched == set(expected), f"{expected}")
    assert console.presence("carol")["telephony"]["status"] == "not_configured_for_user"
