"""People who ask to see our presence, and whom we ask: through a feed. SPDX-License-Identifier: MIT"""

import pytest

from presenced import NOBODY, console_socket, feed_source, until
from store_world import ADMIN, ENDS, ctl, ctl_json, history_model, now_ms, wait_written

IMP = feed_source("imp", "xmpp", addresses="xmpp")
STRANGER, FRIEND = "stranger@example.net", "alice@example.test"
USERS = [{"id": "alice", "xmpp": FRIEND}, {"id": "bob", "xmpp": ""}]


def start_office(start, **config):
    daemon = start(ADMIN | config, users=USERS, sources=[IMP])
    return daemon, daemon.console(), daemon.feed("imp")


def listed(console):
    return console.call("requests.list")["requests"]


def wait_listed(console, *addresses):
    """The requests, once they are from these addresses."""
    def seen():
        found = listed(console)
        return [one["address"] for one in found] == list(addresses) and found

    return until(seen, f"requests of {addresses}")


def decisions(feed):
    return [line for line in feed.lines if "decide" in line]


# ---- arriving and going ---------------------------------------------------------------------


def test_a_request_is_listed_with_what_it_says_and_who_it_is(start):
    _, console, feed = start_office(start)
    assert listed(console) == []
    begin = now_ms()

    feed.say({"request": STRANGER, "name": "A. Stranger", "text": "let me see"}, {"request": FRIEND})

    first, second = wait_listed(console, STRANGER, FRIEND)
    assert first == {"id": first["id"], "source": "imp", "address": STRANGER, "name": "A. Stranger", "text": "let me see",
                     "at": first["at"]}
    assert second == {"id": second["id"], "source": "imp", "address": FRIEND, "user": "alice", "at": second["at"]}
    assert first["id"] < second["id"] and begin <= history_model.ms(first["at"]) <= now_ms()
    assert console.call("server.stats")["requests"] == 2


def test_the_same_request_again_is_one(start):
    daemon, console, feed = start_office(start)
    feed.say({"request": STRANGER, "name": "A"})
    first, = wait_listed(console, STRANGER)

    for line in ({"request": STRANGER, "name": "A"}, {"request": STRANGER, "name": "B", "text": "please"}):
        feed.say(line)
    again, = until(lambda: (found := listed(console))[0].get("name") == "B" and found, "what it says now")
    feed.close()
    until(lambda: console.source("imp")["status"] != "up", "the feed is gone")
    daemon.feed("imp").say({"request": STRANGER, "name": "B", "text": "please"}, {"request": FRIEND})

    last, _ = wait_listed(console, STRANGER, FRIEND)
    assert again == last == first | {"name": "B", "text": "please"}


def test_a_request_that_is_withdrawn_is_gone(start):
    _, console, feed = start_office(start)
    feed.say({"request": STRANGER}, {"request": FRIEND})
    gone, _ = wait_listed(console, STRANGER, FRIEND)

    feed.say({"withdrawn": STRANGER}, {"withdrawn": "nobody@example.net"})

    wait_listed(console, FRIEND)
    assert console.error_of("requests.accept", id=gone["id"]).code == -32002
    assert console.call("server.stats")["requests"] == 1
    assert decisions(feed) == []


@pytest.mark.parametrize("line", [{"request": ""}, {"request": 7}, {"request": "a", "name": 7}, {"request": "a", "text": []},
                                  {"withdrawn": None}], ids=repr)
def test_a_line_that_is_no_request_is_an_error(start, line):
    _, console, feed = start_office(start)
    feed.say(line)
    feed.wait_errors(1)
    feed.say({"request": FRIEND})
    wait_listed(console, FRIEND)


# ---- deciding -------------------------------------------------------------------------------


@pytest.mark.parametrize("method, accept", [("requests.accept", True), ("requests.deny", False)])
def test_a_decision_is_told_to_the_feed_and_the_request_is_gone(start, method, accept):
    daemon, console, feed = start_office(start)
    feed.say({"request": STRANGER, "name": "A"}, {"request": FRIEND})
    request, other = wait_listed(console, STRANGER, FRIEND)

    assert console.call(method, id=request["id"]) == {"request": request}

    feed.wait(lambda: decisions(feed), "the decision")
    assert decisions(feed) == [{"decide": STRANGER, "accept": accept}]
    wait_written(console)
    assert listed(console) == [other]
    for again in ("requests.accept", "requests.deny"):
        assert console.error_of(again, id=request["id"]).code == -32002
    daemon.kill()
    daemon.start()
    assert listed(daemon.console()) == [other]


def test_the_same_person_may_ask_again_after_the_decision(start):
    _, console, feed = start_office(start)
    feed.say({"request": STRANGER})
    first, = wait_listed(console, STRANGER)
    console.call("requests.deny", id=first["id"])

    feed.say({"request": STRANGER})

    second, = wait_listed(console, STRANGER)
    assert second["id"] > first["id"], "another request, and no id twice"


@pytest.mark.parametrize("end", ENDS)
def test_requests_wait_for_a_decision_over_restarts_and_while_the_source_is_away(start, end):
    daemon, console, feed = start_office(start)
    feed.say({"request": STRANGER, "name": "A", "text": "please"}, {"request": FRIEND})
    before = wait_listed(console, STRANGER, FRIEND)
    wait_written(console)

    end(daemon)

    console = daemon.console()
    assert listed(console) == before
    for method in ("requests.accept", "requests.deny"):
        error = console.error_of(method, id=before[0]["id"])
        assert error.code == -32004 and "imp" in error.message, error
    assert listed(console) == before
    feed = daemon.feed("imp")
    until(lambda: console.source("imp")["status"] == "up", "the feed is seen")
    console.call("requests.accept", id=before[0]["id"])
    feed.wait(lambda: decisions(feed) == [{"decide": STRANGER, "accept": True}], "the decision")
    feed.say({"request": "third@example.net"})
    assert wait_listed(console, FRIEND, "third@example.net")[1]["id"] > before[1]["id"]


@pytest.mark.parametrize("params", [{}, {"id": "1"}, {"id": None}, {"id": 1.5}], ids=repr)
def test_an_id_is_a_number(start, params):
    _, console, _ = start_office(start)
    error = console.error_of("requests.accept", **params)
    assert (error.code, error.data) == (-32602, {"field": "id"})


# ---- being told -----------------------------------------------------------------------------


def test_consoles_are_told_of_requests_that_come_and_go(start):
    daemon, console, feed = start_office(start)
    observer, deaf = daemon.console(), daemon.console()
    observer.call("events.subscribe", topics=["requests"])
    deaf.call("events.subscribe", topics=["users", "sources"])

    feed.say({"request": STRANGER, "name": "A"})
    told = observer.notification("requests.changed")
    assert told == {"request": wait_listed(console, STRANGER)[0]}
    feed.say({"request": STRANGER, "name": "B"})
    assert observer.notification("requests.changed")["request"]["name"] == "B"
    feed.say({"withdrawn": STRANGER})
    assert observer.notification("requests.changed") == {"id": told["request"]["id"], "removed": True}
    feed.say({"request": FRIEND})
    friend = observer.notification("requests.changed")["request"]
    assert friend["user"] == "alice"
    console.call("requests.accept", id=friend["id"])
    assert observer.notification("requests.changed") == {"id": friend["id"], "removed": True}
    deaf.barrier()
    assert not [one for one in deaf.notifications if one["method"] == "requests.changed"]


@pytest.mark.parametrize("permissions, may_list, may_decide, may_ask", [
    (("read", "calls"), False, False, False), (("read", "notes"), True, True, False),
    (("read", "admin"), True, False, True)], ids=repr)
def test_who_may_see_decide_and_ask(start, as_root, permissions, may_list, may_decide, may_ask):
    daemon, admin, feed = start_office(start, console=[console_socket("presenced", permissions)])
    feed.say({"request": STRANGER})
    request, = wait_listed(admin, STRANGER)
    console = daemon.console(uid=NOBODY)

    for allowed, needs, method, params in (
            (may_list, ("notes", "admin"), "requests.list", {}),
            (may_list, ("notes", "admin"), "events.subscribe", {"topics": ["requests"]}),
            (may_decide, ("notes",), "requests.deny", {"id": request["id"]}),
            (may_ask, ("admin",), "contacts.add", {"source": "imp", "user": "alice"}),
            (may_ask, ("admin",), "contacts.remove", {"source": "imp", "user": "alice"})):
        if allowed:
            console.call(method, **params)
        else:
            error = console.error_of(method, **params)
            assert error.code == -32001 and error.data["needs"] in needs, (method, error)


# ---- contacts -------------------------------------------------------------------------------


def test_contacts_are_asked_for_and_ended_at_the_source(start):
    _, console, feed = start_office(start)

    assert console.call("contacts.add", source="imp", user="alice") == {"address": FRIEND}
    assert console.call("contacts.remove", source="imp", user="alice") == {"address": FRIEND}

    feed.wait(lambda: feed.was_told("contact", FRIEND) == 2, "both")
    told = [line for line in feed.lines if "contact" in line]
    assert told == [{"contact": FRIEND, "add": True}, {"contact": FRIEND, "add": False}]


def test_contacts_that_cannot_be_asked_for(start):
    pbx = {"name": "pbx", "type": "sip", "server": "127.0.0.1:9", "uri": "sip:watcher@example.test"}
    daemon = start(ADMIN, users=[USERS[0] | {"sip_uri": "sip:a@example.test"}, USERS[1]], sources=[IMP, pbx])
    console = daemon.console()
    assert console.error_of("contacts.add", source="imp", user="alice").code == -32004
    feed = daemon.feed("imp")
    until(lambda: console.source("imp")["status"] == "up", "the feed is seen")

    for method in ("contacts.add", "contacts.remove"):
        codes = {(source, user): console.error_of(method, source=source, user=user).code
                 for source, user in (("imp", "zoe"), ("nobody", "alice"), ("imp", "bob"), ("pbx", "alice"))}
        assert codes == {("imp", "zoe"): -32002, ("nobody", "alice"): -32002, ("imp", "bob"): -32006,
                         ("pbx", "alice"): -32006}
    console.barrier()
    assert not [line for line in feed.lines if "contact" in line]


# ---- memory ---------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
def test_what_a_feed_remembers_it_can_recall(start, end):
    daemon, console, feed = start_office(start)

    def recall(key):
        before = len(feed.lines)
        feed.say({"recall": key})
        feed.wait(lambda: any("recalled" in line for line in feed.lines[before:]), f"an answer about {key}")
        return next(line for line in feed.lines[before:] if "recalled" in line)

    assert recall("roster") == {"recalled": "roster", "value": None}
    feed.say({"remember": "roster", "value": "v1"}, {"remember": "roster", "value": "v2 é\n"},
             {"remember": "gone", "value": "x"}, {"remember": "gone", "value": None})
    assert recall("roster") == {"recalled": "roster", "value": "v2 é\n"}
    assert recall("gone")["value"] is None
    wait_written(console)

    end(daemon)

    feed = daemon.feed("imp")
    assert recall("roster") == {"recalled": "roster", "value": "v2 é\n"}
    assert recall("gone") == {"recalled": "gone", "value": None}


# ---- presencectl ----------------------------------------------------------------------------


def test_presencectl_lists_and_decides(start):
    daemon, console, feed = start_office(start)
    feed.say({"request": STRANGER, "name": "A. Stranger"}, {"request": FRIEND})
    first, second = wait_listed(console, STRANGER, FRIEND)
    assert ctl_json(daemon, "requests") == [first, second]
    status, out, _ = ctl(daemon, "requests")
    assert status == 0 and STRANGER in out and "A. Stranger" in out and "alice" in out

    assert ctl(daemon, "requests", "accept", first["id"])[0] == 0
    assert ctl(daemon, "requests", "deny", second["id"])[0] == 0
    assert ctl(daemon, "requests", "deny", second["id"])[0] == 1
    assert ctl(daemon, "contacts", "add", "imp", "alice")[0] == 0
    assert ctl(daemon, "contacts", "remove", "imp", "bob")[0] == 1
    feed.wait(lambda: feed.was_told("contact", FRIEND) == 1, "the contact")
    assert decisions(feed) == [{"decide": STRANGER, "accept": True}, {"decide": FRIEND, "accept": False}]
    assert listed(console) == []
