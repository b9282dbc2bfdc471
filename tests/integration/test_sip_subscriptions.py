"""Subscriptions at a simulated SIP server that follows the RFCs closely, and refuses in every way they allow.

Documents, single NOTIFYs, refusals, lost datagrams, ends of subscriptions, refreshes and fetches. Passwords are in
test_sip_passwords.py, what happens to connections in test_sip_faults.py, the real server in test_sip_kamailio.py.

SPDX-License-Identifier: MIT
"""

import time

import pytest

from presenced import until
from sip_world import (STREAM_AND_DATAGRAM, TRANSPORTS, begin, certificates, cups, details, document, fresh,
                       line_document, pause, person, requests_for, say, say_line, serve, statuses_seen, uri,
                       wait_source, wait_status, wait_why, watching)

__all__ = ["certificates", "serve"]  # fixtures
ON_DEMAND = {"monitoring": {"mode": "on-demand", "linger": "1s"}}


# ---- documents ------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_person_and_line_reach_the_console(serve, start, transport):
    server = serve(transport)
    _, console = begin(start, server, [person("ann", "101")])

    say(server, "ann", "busy", "meeting", note="Board room")
    say_line(server, "101", 1, "confirmed", direction="recipient", remote="sip:4711@pbx", display="J. Bloggs")

    console.wait(lambda: console.table["ann"]["telephony"].get("line") == "busy", "the line")
    presence = console.wait_overall("ann", "busy")
    assert {key: presence["rich"].get(key) for key in ("status", "availability", "activity", "note", "source")} == {
        "status": "ok", "availability": "busy", "activity": "meeting", "note": "Board room", "source": "cups"}
    assert console.table["ann"]["telephony"]["calls"] == [
        {"state": "connected", "direction": "in", "peer": "sip:4711@pbx", "name": "J. Bloggs"}]
    say_line(server, "101", 2, "terminated")
    console.wait(lambda: console.table["ann"]["telephony"].get("line") == "idle", "the line is free")
    assert server.violations == []


def test_line_by_the_presence_package_is_watched_once(serve, start):
    server = serve()
    say(server, "101", "on-the-phone")
    _, console = begin(start, server, [person("ann", "101")], telephony="presence", domains=["telephony"])

    console.wait(lambda: console.table["ann"]["telephony"].get("line") == "busy", "the line")

    assert server.subscriptions("dialog") == []
    assert len(server.subscriptions("presence", uri("101"))) == 1
    assert server.violations == []


def test_person_and_line_with_one_address_are_one_subscription(serve, start):
    server = serve()
    say(server, "ann", "on-the-phone")
    _, console = begin(start, server, [person("ann")], ON_DEMAND, telephony="presence", telephony_uri="{sip_uri}")

    console.wait(lambda: console.table["ann"]["telephony"].get("line") == "busy", "the line")
    console.wait(lambda: console.table["ann"]["rich"].get("activity") == "on-the-phone", "the person")

    assert len(server.subscriptions()) == 1
    console.call("presence.unsubscribe")
    server.wait(lambda: not server.subscriptions(), "none", 5)
    assert server.violations == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_notify_before_the_answer(serve, start, transport):
    server = serve(transport)
    say(server, "ann", "busy")
    server.misbehave("notify_first", gap=0.5)
    _, console = begin(start, server, [person("ann")])

    console.wait_overall("ann", "busy")
    until(lambda: details(console)["established"] == 1, "established")
    say(server, "ann", "away")
    console.wait_overall("ann", "away")
    server.wait(lambda: all(sent.status == 200 for sent in server.notifies), "each NOTIFY is answered 200")
    assert server.violations == []


@pytest.mark.parametrize("kind", ["accepted", "trying"])
def test_odd_but_good_answers(serve, start, kind):
    server = serve()
    server.misbehave(kind)
    watching(start, server, "ann")
    assert server.violations == []


def test_empty_notify_says_that_nothing_is_known(serve, start):
    server = serve()
    _, console = begin(start, server, [person("ann", "101")])

    rich = wait_status(console, "ann", "ok")
    telephony = wait_status(console, "ann", "ok", "telephony")

    assert "availability" not in rich and "line" not in telephony
    assert console.table["ann"]["overall"] == "unknown"
    say(server, "ann", "busy")
    console.wait_overall("ann", "busy")
    server.set_state("presence", uri("ann"), None)
    console.wait_overall("ann", "unknown")
    assert server.violations == []


def test_pending_is_requesting_until_the_person_has_decided(serve, start):
    server = serve()
    server.misbehave("state", user="ann", value="pending;expires=600")
    _, console = begin(start, server, [person("ann"), person("bob")])
    wait_status(console, "bob", "ok")

    wait_why(console, "ann", "requesting", "not yet decided")
    assert console.table["ann"]["rich"]["status"] == "requesting"

    server.behave()
    say(server, "ann", "busy")
    console.wait_overall("ann", "busy")
    assert server.violations == []


BAD = {"malformed_body": (STREAM_AND_DATAGRAM, {}, "cannot be read"),
       "wrong_type": (STREAM_AND_DATAGRAM, {}, "text/plain"),
       "big_body": (("tcp",), {"size": 70 * 1024}, "65536")}


@pytest.mark.parametrize("transport, kind", [(t, kind) for kind, (many, *_) in BAD.items() for t in many])
def test_bad_document_is_an_error_of_one_person_and_heals(serve, start, transport, kind):
    _, options, words = BAD[kind]
    server = serve(transport)
    daemon, console = watching(start, server, "ann", "bob")
    server.misbehave(kind, user="ann", **options)

    say(server, "ann", "away")

    wait_why(fresh(daemon), "ann", "error", words, deadline=5)
    wait_status(console, "ann", "error")
    assert "availability" not in console.table["ann"]["rich"]
    say(server, "bob", "away")
    console.wait_overall("bob", "away")
    assert set(statuses_seen(console, "bob")) <= {"ok"}
    assert details(console)["connections"] == 1, "the others are not disturbed"
    server.behave()
    say(server, "ann", "busy")
    console.wait_overall("ann", "busy")
    assert server.violations == []


def test_document_too_big_for_a_stream_does_not_make_the_source_flap(serve, start):
    """The same document comes again with each new subscription."""
    server = serve("tcp")
    server.misbehave("big_body", user="ann")
    daemon, console = begin(start, server, [person("ann"), person("bob")])
    say(server, "bob", "busy")

    pause(2)
    assert server.counters["accepted"] <= 2, f"{server.counters['accepted']} connections in 2 seconds"
    console.wait_overall("bob", "busy", 5)
    wait_why(fresh(daemon), "ann", "error", "65536", deadline=5)
    assert server.violations == []


# ---- single NOTIFYs -------------------------------------------------------------------------


def answer_to(server, before, predicate):
    """The status that the daemon answers to the one NOTIFY since `before` that is meant."""
    def answered():
        return [sent.status for sent in server.notifies[before:] if predicate(sent) and sent.status]

    return server.wait(answered, "an answer", 10)[0]


@pytest.mark.parametrize("transport", STREAM_AND_DATAGRAM)
@pytest.mark.parametrize("kind, status", [("low_cseq", 200), ("same_cseq", 200), ("fork", 481),
                                          ("unknown_dialog", 481), ("wrong_event", 489)])
def test_notify_that_must_not_be_believed(serve, start, transport, kind, status):
    server = serve(transport)
    _, console = watching(start, server, "ann")
    server.misbehave(kind, times=1, body=document("ann", "vacation", note="wrong"))
    before = len(server.notifies)

    say(server, "ann", "meeting", note="right")

    assert answer_to(server, before, lambda sent: b"wrong" in sent.raw) == status
    assert answer_to(server, before, lambda sent: b"right" in sent.raw) == 200
    assert console.presence("ann")["rich"]["note"] == "right"
    say(server, "ann", "busy", note="right again")
    console.wait(lambda: console.table["ann"]["rich"].get("note") == "right again", "it goes on")
    assert server.violations == []


def test_repeated_notify_is_answered_again_and_taken_once(serve, start):
    server = serve()
    _, console = watching(start, server, "ann")
    server.misbehave("repeat", times=1, count=3)
    raw_states = cups(console)["raw_states"]

    say(server, "ann", "away")

    console.wait_overall("ann", "away")
    until(lambda: details(console)["repeated"] == 3, "the copies")
    assert cups(console)["raw_states"] == raw_states + 1
    assert server.violations == []


@pytest.mark.parametrize("version", [4, 5])
def test_line_document_that_is_not_newer_changes_nothing(serve, start, version):
    server = serve()
    say_line(server, "101", 5, "confirmed")
    _, console = begin(start, server, [person("ann", "101")], domains=["telephony"])
    console.wait_overall("ann", "busy")
    raw_states, before = cups(console)["raw_states"], len(server.notifies)
    console.notifications.clear()

    server.notify("dialog", uri("101"), body=line_document("101", version, "terminated"))

    assert answer_to(server, before, lambda sent: b"terminated" in sent.raw) == 200
    assert statuses_seen(console, "ann", "telephony") == [] and cups(console)["raw_states"] == raw_states
    assert console.presence("ann")["telephony"]["line"] == "busy"
    say_line(server, "101", 6, "terminated")
    console.wait_overall("ann", "available")
    assert server.violations == []


def test_notify_that_cannot_be_answered_is_not_taken(serve, start):
    """The server does not count it as received, so it must not be believed. Each Via is longer in the answer."""
    server = serve("tcp")
    _, console = watching(start, server, "ann")
    server.one_at_a_time = False
    via = f"SIP/2.0/TCP {'h' * 20}"
    vias = [("v", ",".join([via] * 254)), *[("v", via)] * 199]

    server.notify(uri=uri("ann"), body=document("ann", "vacation"), headers=vias, must_answer=False)

    assert server.notifies[-1].raw.index(b"\r\n\r\n") < 16384 - 4, "so much can be read"
    until(lambda: details(console)["bad_messages"] == 1, "the answer would be too long")
    assert "too long" in details(console)["last_bad_message"]
    assert statuses_seen(console, "ann") == []
    say(server, "ann", "away")
    console.wait_overall("ann", "away")
    assert server.notifies[-2].status == 0 and details(console)["connections"] == 1
    assert server.violations == []


# ---- refusals -------------------------------------------------------------------------------

REFUSALS = [(403, "access_denied", "does not let us watch"), (404, "not_found", "does not know this address"),
            (480, "error", "not available now"), (489, "error", "event package"), (500, "error", "error of its own"),
            (503, "error", "not available"), (603, "access_denied", "declines"), (604, "not_found", "not exist"),
            (302, "error", "moved"), (405, "error", "405"), (410, "not_found", "410"), (488, "error", "488")]


@pytest.mark.parametrize("code, status, words", REFUSALS)
def test_refusal_concerns_one_person_only(serve, start, code, status, words):
    server = serve()
    say(server, "bob", "busy")
    server.misbehave("status", user="ann", code=code)
    _, console = begin(start, server, [person("ann"), person("bob")])

    wait_why(console, "ann", status, words)

    assert console.presence("ann")["rich"]["status"] == status
    console.wait_overall("bob", "busy")
    assert cups(console)["status"] == "up"
    assert len(requests_for(server, "ann")) == 1, "not at once again"
    assert server.violations == []


def test_long_reason_of_a_refusal_is_cut_but_stays_readable(serve, start):
    server = serve()
    server.misbehave("status", user="ann", code=488, phrase="x" + 60 * "é")  # 80 bytes end inside of a character
    _, console = begin(start, server, [person("ann")])

    assert f"(488 x{39 * 'é'}?)" in wait_why(console, "ann", "error", "488")["why"]
    wait_status(console, "ann", "error")
    assert server.violations == []


@pytest.mark.parametrize("event, options", [
    ("dialog", {"domains": ["telephony"]}), ("presence", {"domains": ["telephony"], "telephony": "presence"}),
    ("presence", {"domains": ["rich"]}), ("presence", {})])
def test_what_we_ask_of_ourselves_is_what_we_ask_of_the_others(serve, start, event, options):
    """A server that has only lines does not know the package of people, and the other way round."""
    server = serve()
    _, console = begin(start, server, [person("ann", "101")], **options)

    wait_source(console, "up")

    assert [request.event for request in requests_for(server, "watcher")] == [event]
    assert server.violations == []


def test_server_that_does_not_know_us_is_said_at_the_source(serve, start):
    server = serve()
    server.misbehave("status", user="watcher", code=404)
    _, console = watching(start, server, "ann")

    assert uri("watcher") in wait_source(console, "up_credentials_not_found")["why"]
    assert server.violations == []


@pytest.mark.parametrize("many", [1, 20])
def test_interval_too_brief_is_asked_for_longer_at_once(serve, start, many):
    """Several requests are under way when the first 423 comes."""
    names = [f"u{n}" for n in range(many)]
    server = serve()
    server.min_expires = 1000
    for name in names:
        say(server, name, "busy")
    _, console = begin(start, server, [person(name) for name in names])

    for name in names:
        console.wait_overall(name, "busy", 4)

    assert all(500 < sub.expires <= 1000 for sub in server.subscriptions())
    assert not any("error" in statuses_seen(console, name) for name in names)
    assert server.violations == []


def test_unavailable_with_retry_after_leaves_the_server_alone_for_so_long(serve, start):
    server = serve("tcp")
    server.misbehave("status", times=1, user="ann", code=503, headers={"Retry-After": "3"})
    say(server, "ann", "busy")
    begun = time.monotonic()
    _, console = begin(start, server, [person("ann")])

    wait_source(console, "connection_error", "503")
    console.wait_overall("ann", "busy")

    assert 2.5 < time.monotonic() - begun < 8
    assert wait_source(console, "up")
    assert server.violations == []


def test_request_that_is_never_answered_does_not_hold_up_the_others(serve, start):
    server = serve()
    for name in ("ann", "bob"):
        say(server, name, "busy")
    server.misbehave("swallow", user="ann")
    daemon, console = begin(start, server, [person("ann"), person("bob")], in_flight=2)

    console.wait_overall("bob", "busy")

    assert console.presence("ann")["rich"]["status"] == "requesting"
    server.wait(lambda: any(request.copies >= 2 for request in requests_for(server, "ann")), "retransmissions", 10)
    server.behave()
    assert cups(fresh(daemon))["status"] == "up"
    assert server.violations == []


def test_late_answer_is_an_answer(serve, start):
    server = serve("tcp")
    say(server, "ann", "busy")
    server.misbehave("late", user="ann", seconds=2)
    _, console = begin(start, server, [person("ann")])

    console.wait_overall("ann", "busy")

    assert len(requests_for(server, "ann")) == 1
    assert server.violations == []


@pytest.mark.parametrize("kind", ["lose", "lose_answer"])
def test_lost_datagrams_are_repeated(serve, start, kind):
    server = serve("udp")
    server.misbehave(kind, times=4, method="*")
    _, console = watching(start, server, "ann")

    until(lambda: details(console)["established"] == 1, "established")

    assert server.counters["copies"] >= 2
    assert len(requests_for(server, "ann")) == 1 and len(server.subscriptions()) == 1
    assert server.violations == []


# ---- the server ends a subscription ----------------------------------------------------------

@pytest.mark.parametrize("reason, retry_after, words, least, most", [
    ("deactivated", None, None, 0.9, 3), ("timeout", None, None, 0.9, 3),
    ("probation", 3, "asks us to subscribe again later", 2.9, 7), (None, None, "has ended the subscription", 4.9, 9)])
def test_subscription_that_is_ended_is_made_anew(serve, start, reason, retry_after, words, least, most):
    """So many seconds later; what was known is stale until then. `words`: where there is time to read why."""
    server = serve()
    _, console = watching(start, server, "ann", "bob")
    say(server, "ann", "away", notify=False)
    begun = time.monotonic()

    server.terminate(uri=uri("ann"), reason=reason, retry_after=retry_after)

    if words is not None:
        wait_why(console, "ann", "stale", words, deadline=2)
        assert console.presence("ann")["overall"] == "busy"
    console.wait_overall("ann", "away")
    assert least <= time.monotonic() - begun <= most
    assert set(statuses_seen(console, "ann")) <= {"ok", "stale"}
    assert set(statuses_seen(console, "bob")) <= {"ok"}
    assert server.violations == []


@pytest.mark.parametrize("reason, status, words", [
    ("rejected", "access_denied", "does not let us watch"), ("giveup", "access_denied", "has not answered"),
    ("noresource", "not_found", "does not have this address any more")])
def test_subscription_that_is_ended_for_good_says_why(serve, start, reason, status, words):
    server = serve()
    _, console = watching(start, server, "ann", "bob")
    before = len(requests_for(server, "ann"))

    server.terminate(uri=uri("ann"), reason=reason)

    wait_why(console, "ann", status, words)
    wait_status(console, "ann", status)
    assert len(requests_for(server, "ann")) == before
    assert set(statuses_seen(console, "bob")) <= {"ok"}
    assert server.violations == []


def test_lamp_does_not_flicker_when_the_server_asks_us_to_subscribe_again(serve, start):
    """deactivated is what a server says before maintenance, to all of its subscribers (RFC 6665 4.1.3)."""
    server = serve()
    _, console = watching(start, server, "ann")
    before = len(requests_for(server, "ann"))

    server.terminate(reason="deactivated")

    server.wait(lambda: len(requests_for(server, "ann")) > before and server.subscriptions(), "subscribed anew", 5)
    until(lambda: details(console)["established"] == 1, "established")
    assert "requesting" not in statuses_seen(console, "ann"), "what was known is not forgotten for a second"
    assert server.violations == []


def test_lamp_that_was_taken_away_is_not_lit_again_by_refusals(serve, start):
    """Each retry ends with the same answer: no hold is bought anew, and the reason is the server's."""
    server = serve()
    _, console = watching(start, server, "ann", config={"hold": "1s"})
    server.misbehave("status", user="ann", code=481)

    server.terminate(uri=uri("ann"), reason="timeout")

    wait_status(console, "ann", "stale")
    wait_status(console, "ann", "error")
    wait_why(console, "ann", "error", "does not know the subscription any more")
    console.notifications.clear()
    count = len(requests_for(server, "ann"))
    server.wait(lambda: len(requests_for(server, "ann")) >= count + 2, "two more refusals")
    assert statuses_seen(console, "ann") == []
    assert server.violations == []


def test_state_that_never_changes_stays(serve, start):
    server = serve()
    _, console = watching(start, server, "ann")

    server.notify(uri=uri("ann"), state="terminated;reason=invariant", body=document("ann", "vacation"))

    console.wait(lambda: console.table["ann"]["rich"].get("activity") == "vacation", "the last word")
    assert console.table["ann"]["rich"]["status"] == "ok"
    assert len(requests_for(server, "ann")) == 1
    assert server.violations == []


# ---- refreshes, fetches, ends ---------------------------------------------------------------


@pytest.mark.parametrize("transport", STREAM_AND_DATAGRAM)
def test_short_subscription_is_refreshed_before_it_ends(serve, start, transport):
    server = serve(transport)
    server.max_expires = 3
    _, console = watching(start, server, "ann")

    server.wait(lambda: len([r for r in requests_for(server, "ann") if r.to.tag]) >= 2, "2 refreshes", 10)

    assert server.expired == [] and len(server.subscriptions()) == 1
    assert len({request.call_id for request in requests_for(server, "ann")}) == 1
    assert set(statuses_seen(console, "ann")) <= {"ok"}
    assert server.violations == []


def test_refresh_that_fails_is_tried_again_before_the_subscription_ends(serve, start):
    server = serve()
    server.max_expires = 13
    _, console = watching(start, server, "ann")
    server.max_expires = 3600
    server.misbehave("status", times=1, phase="refresh", code=500)

    server.wait(lambda: len([r for r in requests_for(server, "ann") if r.to.tag]) >= 2, "2 refreshes", 30)

    assert set(statuses_seen(console, "ann")) <= {"ok"}
    assert server.violations == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_end_of_demand_is_the_end_of_the_subscription(serve, start, transport):
    server = serve(transport)
    say(server, "ann", "busy")
    _, console = begin(start, server, [person("ann")], ON_DEMAND)
    console.wait_overall("ann", "busy")
    assert len(server.subscriptions()) == 1

    console.call("presence.unsubscribe")

    server.wait(lambda: not server.subscriptions(), "unsubscribed", 5)
    assert requests_for(server, "ann")[-1].expires == 0
    until(lambda: details(console)["subscriptions"] == 0, "forgotten here too")
    assert server.expired == [] and server.violations == []


def test_last_notify_of_an_unsubscription_belongs_to_it(serve, start):
    """It is no unknown one: RFC 6665 4.1.2.3 and 4.4.1 have the subscriber wait for it."""
    server = serve()
    say(server, "ann", "busy")
    _, console = begin(start, server, [person("ann")], ON_DEMAND)
    console.wait_overall("ann", "busy")

    console.call("presence.unsubscribe")

    server.wait(lambda: server.notifies[-1].state.startswith("terminated"), "unsubscribed", 5)
    last = server.notifies[-1]
    assert server.wait(lambda: last.status, "answered") == 200
    assert details(console)["unknown"] == 0
    assert server.violations == []


def test_demand_that_comes_back_while_the_subscription_is_being_ended(serve, start):
    server = serve()
    say(server, "ann", "busy")
    server.misbehave("late", times=1, phase="unsubscribe", seconds=1)
    _, console = begin(start, server, [person("ann")], ON_DEMAND)
    console.wait_overall("ann", "busy")
    console.call("presence.unsubscribe")
    server.wait(lambda: requests_for(server, "ann")[-1].expires == 0, "unsubscribed", 5)

    console.subscribe(users=["ann"])
    console.wait_overall("ann", "busy", 5)
    server.wait(lambda: server.counters["SUBSCRIBE"] >= 4 and len(server.subscriptions()) == 1, "one is left", 5)

    say(server, "ann", "away")
    console.wait_overall("ann", "away", 5)
    assert server.violations == []


def test_end_of_demand_while_the_subscription_is_being_made(serve, start):
    server = serve()
    server.misbehave("late", user="ann", phase="initial", seconds=2.5)
    _, console = begin(start, server, [person("ann")], ON_DEMAND)
    server.wait(lambda: requests_for(server, "ann"), "asked for")

    console.call("presence.unsubscribe")

    server.wait(lambda: server.counters["NOTIFY"] >= 2, "subscribed at last", 10)
    server.wait(lambda: not server.subscriptions(), "and ended", 5)
    assert server.violations == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_daemon_that_stops_takes_its_subscriptions_with_it(serve, start, transport):
    server = serve(transport)
    daemon, _ = watching(start, server, *(f"u{n}" for n in range(20)))

    daemon.stop()

    server.wait(lambda: not server.subscriptions(), "none", 5)
    assert server.expired == [] and server.violations == []


def test_source_that_is_stopped_ends_its_subscriptions(serve, start):
    server = serve("tcp")
    _, console = watching(start, server, "ann", "bob")

    console.call("sources.stop", name="cups")

    server.wait(lambda: not server.subscriptions() and not server.connections(), "none", 5)
    assert server.expired == [] and server.violations == []


def test_time_that_is_shortened_later_is_obeyed(serve, start):
    server = serve()
    server.misbehave("expires", user="ann", phase="initial", value=None)
    _, console = watching(start, server, "ann")

    server.notify(uri=uri("ann"), state="active;expires=4", body=document("ann", "away"))

    console.wait_overall("ann", "away")
    server.wait(lambda: any(r.to.tag for r in requests_for(server, "ann")), "a refresh", 4)
    assert server.violations == []


def test_change_that_was_never_said_is_corrected_by_a_fetch(serve, start):
    server = serve()
    _, console = watching(start, server, "ann", config={"verify": {"any": "2s"}})

    say(server, "ann", "away", notify=False)

    console.wait_overall("ann", "away", 8)
    assert cups(console)["corrections"] == 1 and details(console)["fetches"] >= 1
    assert len(server.subscriptions()) == 1, "the fetch leaves nothing behind"
    assert server.violations == []


def test_end_of_a_call_that_was_never_said_is_corrected_by_a_fetch(serve, start):
    server = serve()
    say_line(server, "101", 1, "confirmed")
    _, console = begin(start, server, [person("ann", "101")], {"verify": {"busy": "2s"}}, domains=["telephony"])
    console.wait_overall("ann", "busy")

    say_line(server, "101", 7, "terminated", notify=False)

    console.wait_overall("ann", "available", 8)
    assert cups(console)["corrections"] == 1
    assert server.violations == []


def test_partial_document_after_a_gap_asks_for_the_full_state(serve, start):
    server = serve()
    say_line(server, "101", 1)
    _, console = begin(start, server, [person("ann", "101")], domains=["telephony"])
    console.wait_overall("ann", "available")

    say_line(server, "101", 5, "confirmed", notify=False)
    server.notify("dialog", uri("101"), body=line_document("101", 4, kind="partial"))

    console.wait_overall("ann", "busy", 5)
    assert [r.expires for r in requests_for(server, "101")][-1] == 0, "fetched"
    say_line(server, "101", 6, "terminated", notify=False)  # version 5 came by no NOTIFY: it is fetched once more
    server.notify("dialog", uri("101"), body=line_document("101", 6, "terminated", kind="partial"))
    console.wait_overall("ann", "available", 5)
    assert server.violations == []
