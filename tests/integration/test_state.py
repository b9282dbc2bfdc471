"""What a source says is what a console sees. SPDX-License-Identifier: MIT"""

import pytest

from presenced import BUSY, IDLE, feed_source, people


def test_busy_at_the_switch_is_busy_at_the_console(start):
    daemon = start(users=people("alice"))
    feed = daemon.feed(truth={"alice": {"telephony": IDLE}})
    console = daemon.console()
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "available")

    feed.set("alice", telephony=BUSY)

    presence = console.wait_overall("alice", "busy")
    assert presence["telephony"]["mode"] == "busy"
    assert presence["telephony"]["line"] == "busy"
    assert presence["telephony"]["source"] == "switch"
    assert presence["telephony"]["technology"] == "tapi"
    assert presence["telephony"]["calls"] == [{"state": "connected"}]


def test_explain_names_the_source_that_decided_and_who_asks(start):
    daemon = start(users=people("alice"))
    daemon.feed(truth={"alice": {"telephony": BUSY}})
    console = daemon.console()
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "busy")

    explained = console.call("presence.explain", user="alice")

    assert explained["watched"] is True
    assert explained["presence"] == console.table["alice"]
    assert any(row["about"] == "line" and row["source"] == "switch" and row["verdict"] == "decided"
               for row in explained["trace"])
    states = {(state["source"], state["domain"]): state for state in explained["states"]}
    assert states["switch", "telephony"]["line"] == "busy"
    assert states["switch", "telephony"]["status"] == "ok"
    assert states["switch", "rich"]["status"] == "requesting"
    assert [row["by"] for row in explained["demand"]] == ["console"]


def test_two_sources_each_give_their_half(start):
    daemon = start(users=people("alice"), sources=[feed_source("switch"), feed_source("imp", "xmpp")])
    daemon.feed("switch", truth={"alice": {"telephony": IDLE}})
    daemon.feed("imp", truth={"alice": {"rich": {"availability": "away", "note": "lunch"}}})
    console = daemon.console()
    console.subscribe(users=["alice"])

    presence = console.wait_overall("alice", "away")
    console.wait(lambda: console.table["alice"]["telephony"].get("mode") == "available", "the telephone")

    assert presence["rich"]["source"] == "imp"
    assert console.table["alice"]["rich"]["note"] == "lunch"
    assert console.table["alice"]["telephony"]["source"] == "switch"


def test_get_without_wait_demands_nothing(start):
    daemon = start(users=people("alice"))
    feed = daemon.feed(truth={"alice": {"telephony": BUSY}})
    console = daemon.console()

    presence = console.presence("alice")

    assert presence["overall"] == "unknown"
    assert presence["telephony"]["status"] == "not_requested"
    assert console.call("server.stats")["watched"] == 0
    assert feed.lines == []


def test_get_with_wait_answers_when_the_sources_have_spoken(start):
    daemon = start(users=people("alice", "bob"))
    truth = {"telephony": BUSY, "rich": {"availability": "away"}}
    daemon.feed(truth={"alice": truth, "bob": truth})
    console = daemon.console()

    result = console.call("presence.get", users=["alice", "bob"], wait=10000)

    assert [presence["overall"] for presence in result["presences"]] == ["busy", "busy"]


def test_get_with_wait_answers_at_the_latest_when_time_is_up(start):
    daemon = start(users=people("alice"))
    feed = daemon.feed()
    console = daemon.console()

    result = console.call("presence.get", users=["alice"], wait=200)

    assert result["presences"][0]["telephony"]["status"] == "requesting"
    feed.wait_watched("alice")


def test_ids_that_nobody_has_are_named_and_are_not_an_error(start):
    daemon = start(users=people("alice"))
    console = daemon.console()

    result = console.call("presence.get", users=["zoe", "alice", "Alice"])

    assert [presence["user"] for presence in result["presences"]] == ["alice"]
    assert result["unknown"] == ["zoe", "Alice"]
    assert console.call("presence.get", users=["zoe"], wait=10000)["unknown"] == ["zoe"]
    assert console.subscribe(users=["zoe", "alice"])["unknown"] == ["zoe"]


def test_get_before_any_source_has_connected(start):
    daemon = start(users=people("alice"))
    console = daemon.console()

    result = console.call("presence.get", users=["alice"], wait=100)

    assert result["presences"][0]["overall"] == "unknown"
    assert result["presences"][0]["telephony"]["status"] in ("requesting", "error")


@pytest.mark.parametrize("sources, status", [([], "server_not_configured"), ([feed_source("switch", addresses="line")],
                                                                            "not_configured_for_user")])
def test_a_half_that_nobody_can_know_says_why(start, sources, status):
    daemon = start(users=people("alice"), sources=sources)
    console = daemon.console()
    console.subscribe(users=["alice"])

    assert console.table["alice"]["telephony"]["status"] == status
    assert console.table["alice"]["rich"]["status"] == status


def test_users_are_listed_in_pages_in_the_order_of_their_ids(start):
    ids = [f"u{n:03}" for n in range(250)]
    daemon = start(users=people(*reversed(ids), groups="all;some", name="Some One", extension="2001"))
    console = daemon.console()
    seen, after = [], ""
    while after is not None:
        page = console.call("users.list", after=after, limit=100)
        seen += [user["id"] for user in page["users"]]
        after = page["next"]

    assert seen == ids
    user = console.call("users.get", user="u007")["user"]
    assert [origin["origin"] for origin in user.pop("origins")] == ["file"]
    assert user == {"id": "u007", "name": "Some One", "groups": ["all", "some"], "addresses": {"extension": "2001"}}
    assert console.error_of("users.get", user="zoe").code == -32002
