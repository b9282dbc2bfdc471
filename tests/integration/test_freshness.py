"""No stuck lamp: what is not known any more is not shown as known. SPDX-License-Identifier: MIT"""

import time

from presenced import BUSY, IDLE, RINGING, feed_source, people

HOLD = {"hold": "1s"}
LONG_HOLD = {"hold": "1h"}


def telephony(console, user="alice"):
    return console.table[user]["telephony"]


def wait_status(console, status, user="alice"):
    console.wait(lambda: telephony(console, user)["status"] == status, f"telephony of {user} {status}")
    return telephony(console, user)


def watching(daemon, truth, *users):
    """A feed that says this truth, and a console that has seen it."""
    feed = daemon.feed(truth=truth)
    console = daemon.console()
    console.subscribe(users=list(users))
    for user in users:
        wait_status(console, "ok", user)
    return feed, console


def test_lamp_is_stale_with_its_facts_when_the_feed_dies_and_an_error_after_hold(start):
    daemon = start(HOLD, users=people("alice"))
    feed, console = watching(daemon, {"alice": {"telephony": BUSY}}, "alice")

    feed.close()

    stale = wait_status(console, "stale")
    assert stale["mode"] == "busy" and stale["line"] == "busy" and stale["source"] == "switch"
    assert console.table["alice"]["overall"] == "busy"
    error = wait_status(console, "error")
    assert set(error) == {"status", "since"}
    assert console.table["alice"]["overall"] == "unknown"


def test_feed_that_comes_back_with_a_resync_is_believed_and_what_it_does_not_say_is_an_error(start):
    daemon = start(LONG_HOLD, users=people("alice", "bob"))
    feed, console = watching(daemon, {"alice": {"telephony": BUSY}, "bob": {"telephony": BUSY}}, "alice", "bob")
    feed.close()
    wait_status(console, "stale", "bob")

    feed = daemon.feed(answers=False)
    feed.wait_watched("alice", "bob")
    feed.say({"resync": "begin"}, {"address": "alice", "domain": "telephony"} | IDLE)
    console.wait_overall("alice", "available")
    assert telephony(console, "bob")["status"] == "stale", "not said yet, but still usable"
    assert telephony(console, "bob")["mode"] == "busy"
    feed.say({"resync": "end"})

    wait_status(console, "error", "bob")
    assert telephony(console)["status"] == "ok"
    states = console.call("presence.explain", user="bob")["states"]
    assert any(state.get("why") == "not reported after the reconnection" for state in states)


def test_feed_that_comes_back_and_says_nothing_is_an_error_after_the_resync_limit(start):
    daemon = start(LONG_HOLD | {"resync_limit": "1s"}, users=people("alice"))
    feed, console = watching(daemon, {"alice": {"telephony": BUSY}}, "alice")
    feed.close()
    wait_status(console, "stale")

    daemon.feed(answers=False).say({"resync": "begin"})

    wait_status(console, "error")


def test_feed_that_resumes_within_hold_is_believed_as_before(start):
    daemon = start(LONG_HOLD, users=people("alice"))
    feed, console = watching(daemon, {"alice": {"telephony": BUSY}}, "alice")
    feed.close()
    wait_status(console, "stale")

    daemon.feed(answers=False).say({"resync": "resumed"})

    assert wait_status(console, "ok")["line"] == "busy"


def test_feed_that_comes_back_after_hold_is_asked_to_watch_again(start):
    daemon = start(HOLD, users=people("alice"))
    feed, console = watching(daemon, {"alice": {"telephony": BUSY}}, "alice")
    feed.close()
    wait_status(console, "error")

    daemon.feed(truth={"alice": {"telephony": IDLE}})

    console.wait_overall("alice", "available")


def test_the_other_source_takes_over_when_one_is_lost(start):
    daemon = start(HOLD, users=people("alice"), sources=[feed_source("switch"), feed_source("pbx", "sip")])
    feed = daemon.feed("switch", truth={"alice": {"telephony": BUSY}})
    daemon.feed("pbx", truth={"alice": {"telephony": IDLE}})
    console = daemon.console()
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "busy")

    feed.close()

    console.wait_overall("alice", "available")
    assert telephony(console)["source"] == "pbx"


def test_stopped_source_is_dropped_at_once(start):
    daemon = start(LONG_HOLD, users=people("alice"))
    _, console = watching(daemon, {"alice": {"telephony": BUSY}}, "alice")

    console.call("sources.stop", name="switch")

    wait_status(console, "server_not_configured")
    assert "line" not in telephony(console)


def test_state_with_an_end_is_proved_then_stale_then_an_error(start):
    daemon = start({"hold": "3s", "verify": {"requesting": "1s"}}, users=people("alice"))
    feed, console = watching(daemon, {"alice": {"telephony": IDLE}}, "alice")
    feed.answers = False

    feed.say({"address": "alice", "domain": "telephony", "valid_until": "2020-01-01T00:00:00.000Z"} | BUSY)

    wait_status(console, "stale")
    feed.wait(lambda: feed.was_told("verify", "alice"), "to be asked again")
    wait_status(console, "error")


def test_older_revision_never_replaces_a_newer_one(start):
    daemon = start(users=people("alice"))
    feed = daemon.feed(answers=False)
    console = daemon.console()
    console.subscribe(users=["alice"])
    feed.wait_watched("alice")

    feed.say({"address": "alice", "domain": "telephony", "epoch": 3, "rev": 9} | IDLE,
             {"address": "alice", "domain": "telephony", "epoch": 3, "rev": 8} | BUSY,
             {"address": "alice", "domain": "telephony", "epoch": 2, "rev": 10} | BUSY,
             {"address": "alice", "domain": "rich", "availability": "away"})

    console.wait_overall("alice", "away")
    assert telephony(console)["mode"] == "available"
    assert console.source()["outdated"] == 2


# The feed               presenced              the console
#   |--- busy x 50 ---------->|------ busy x 50 ----->|
#   |  (calls end, unsaid)    |                       |
#   |<-------- verify x 50 ---|  after verify.busy    |
#   |--- idle x 50 ---------->|--- available x 50 --->|


def test_lamps_go_out_when_the_end_of_50_calls_was_lost(start):
    daemon = start({"verify": {"busy": "5s"}}, users=people(*(f"u{n}" for n in range(50))))
    ids = [f"u{n}" for n in range(50)]
    feed = daemon.feed(truth={one: {"telephony": IDLE} for one in ids})
    console = daemon.console()
    console.subscribe(users=ids)
    for one in ids:
        console.wait_overall(one, "available")
        feed.set(one, telephony=BUSY)
    for one in ids:
        console.wait_overall(one, "busy")
    all_were_busy = time.monotonic()

    feed.silent = True
    for one in ids:
        feed.set(one, telephony=IDLE)
    for one in ids:
        console.wait_overall(one, "available")

    assert time.monotonic() - all_were_busy < 5 + 10, "due after 5 s; 50 at 10/s are 5 s, and as much again is allowed"
    source = console.source()
    assert source["corrections"] == 50
    assert source["unanswered"] == 0
    assert [feed.was_told("verify", one) for one in ids] == [1] * 50


def test_ringing_is_proved_by_its_own_clock_and_a_right_answer_is_no_correction(start):
    daemon = start({"verify": {"ringing": "1s"}}, users=people("alice"))
    feed, console = watching(daemon, {"alice": {"telephony": RINGING}}, "alice")

    feed.wait(lambda: feed.was_told("verify", "alice") >= 2, "to be asked twice")

    assert console.presence("alice")["telephony"]["line"] == "ringing"
    assert console.source()["corrections"] == 0


def test_what_is_not_answered_is_an_error_after_a_while_and_heals(start):
    daemon = start(HOLD | {"verify": {"busy": "1s", "requesting": "1s"}}, users=people("alice", "bob"))
    feed = daemon.feed(truth={"alice": {"telephony": BUSY}})
    console = daemon.console()
    console.subscribe(users=["alice", "bob"])
    wait_status(console, "ok")
    feed.answers = False

    wait_status(console, "stale")
    wait_status(console, "error")
    wait_status(console, "error", "bob")
    assert console.source()["unanswered"] >= 2

    feed.say({"address": "bob", "domain": "telephony"} | IDLE, {"address": "alice", "domain": "telephony"} | IDLE)
    assert wait_status(console, "ok", "bob")["mode"] == "available"
    assert wait_status(console, "ok")["mode"] == "available"


def test_at_most_the_configured_rate_of_proofs_is_asked(start):
    ids = [f"u{n}" for n in range(30)]
    daemon = start({"verify": {"busy": "1s", "rate": "10/s"}}, users=people(*ids))
    feed, _ = watching(daemon, {one: {"telephony": BUSY} for one in ids}, *ids)
    begin = time.monotonic()

    feed.wait(lambda: sum("verify" in line for line in feed.lines) >= 30, "30 proofs")

    assert time.monotonic() - begin > 1.5, "30 proofs at 10/s do not come at once"


def test_source_that_cannot_be_started_is_an_error_of_its_users_and_says_so_once(start):
    daemon = start(HOLD, users=people("alice"), sources=[feed_source("switch", socket="missing/switch.feed")])
    console = daemon.console()
    console.subscribe(users=["alice"])
    console.call("events.subscribe", topics=["sources"])
    wait_status(console, "error")
    row = next(row for row in console.call("presence.explain", user="alice")["states"] if row["domain"] == "telephony")
    assert row["source"] == "switch" and "missing" in row["why"], row
    found = console.source()
    assert found["status"] == "connection_error" and "missing" in found["why"], found
    console.barrier()
    console.notifications.clear()

    console.call("sources.start", name="switch")  # in vain again, as every 15 s
    assert console.source()["domains"] == found["domains"], "nothing has changed, since when it is so neither"
    (daemon.folder / "missing").mkdir()
    console.call("sources.start", name="switch")
    assert console.notification("sources.changed")["source"]["status"] == "connecting"
    daemon.feed("missing/switch", truth={"alice": {"telephony": BUSY}})
    console.wait_overall("alice", "busy")
    lines = [line for line in daemon.log_text().splitlines() if "connection_error" in line]
    assert len(lines) == 1 and "warning" in lines[0], lines
