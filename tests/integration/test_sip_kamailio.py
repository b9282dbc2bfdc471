"""What is published at a real Kamailio is what a console sees. SPDX-License-Identifier: MIT"""

import os
import random
import sys

import pytest

from presenced import TESTS, Deadline, until
from sip_world import ADMIN, ALWAYS, DOMAIN, cups, details, person, source_at, uri, wait_source

sys.path.insert(0, str(TESTS / "model"))

import dialog_info_model  # noqa: E402
import pidf_model  # noqa: E402
from kamailio import Kamailio  # noqa: E402 - sip_world knows the way to peers
from publisher import Publisher, dialog_info, pidf  # noqa: E402

STORM_USERS = 2000
ROUNDS = 3


def source(kamailio, transport="udp", **options):
    return source_at(kamailio.tls_port if transport == "tls" else kamailio.port, transport, **options)


def publisher_of(kamailio):
    return Publisher("127.0.0.1", kamailio.port, DOMAIN)


def busy_call(number):
    return dialog_info(uri(number), 1, [{"id": "a", "state": "confirmed", "direction": "recipient",
                                         "remote": "sip:4711@pbx", "display": "J. Bloggs"}])


def say(publisher, name, *activities, **options):
    publisher.publish(name, pidf(uri(name), activities=activities, **options))


@pytest.mark.parametrize("transport, auth", [("udp", None), ("tcp", None), ("tls", None), ("udp", "MD5"),
                                             ("tcp", "SHA-256"), ("tls", "MD5"), ("udp", "SHA-256")])
def test_busy_at_the_server_is_busy_at_the_console(start, tmp_path, transport, auth):
    (tmp_path / "secret").write_text("secret\n", encoding="utf-8")
    with Kamailio(domain=DOMAIN, auth=auth, tls=transport == "tls", accounts={"watcher": "secret"}) as kamailio, \
            publisher_of(kamailio) as publisher:
        options = {"password_file": str(tmp_path / "secret")} if auth else {}
        if transport == "tls":
            options |= {"ca_file": kamailio.ca_file, "cert_host": DOMAIN}
        daemon = start({"console": ADMIN}, users=[person("ann", "101")],
                       sources=[source(kamailio, transport, **options)])
        console = daemon.console()
        console.subscribe(users=["ann"])

        say(publisher, "ann", "busy", "meeting", note="Board room")
        publisher.publish("101", busy_call("101"), "dialog")

        console.wait(lambda: console.table["ann"]["telephony"].get("line") == "busy", "the line")
        console.wait(lambda: console.table["ann"]["rich"].get("availability") == "busy", "the person")
        presence = console.wait_overall("ann", "busy")
        assert {key: presence["rich"].get(key) for key in ("status", "availability", "activity", "note", "source")} == {
            "status": "ok", "availability": "busy", "activity": "meeting", "note": "Board room", "source": "cups"}
        assert presence["telephony"]["calls"] == [
            {"state": "connected", "direction": "in", "peer": "sip:4711@pbx", "name": "J. Bloggs"}]

        say(publisher, "ann")
        publisher.publish("101", dialog_info(uri("101"), 2, [{"id": "a", "state": "terminated"}]), "dialog")

        console.wait(lambda: console.table["ann"]["telephony"].get("line") == "idle", "the line is free")
        console.wait_overall("ann", "available")


def test_a_certificate_that_is_not_checked_is_said_loudly(start):
    with Kamailio(domain=DOMAIN, tls=True) as kamailio:
        daemon = start({"console": ADMIN}, users=[person("ann")], sources=[source(kamailio, "tls", tls_verify=False)])
        console = daemon.console()
        wait_source(console, "up", "tls_verify")
        assert "not_verified" in daemon.log_text()


def test_lines_watched_with_the_presence_package(start):
    with Kamailio(domain=DOMAIN) as kamailio, publisher_of(kamailio) as publisher:
        daemon = start({"console": ADMIN}, users=[{"id": "ann", "extension": "101"}],
                       sources=[source(kamailio, telephony="presence", domains=["telephony"])])
        console = daemon.console()
        console.subscribe(users=["ann"])

        say(publisher, "101", "on-the-phone")

        presence = console.wait_overall("ann", "busy")
        assert presence["telephony"]["line"] == "busy"
        assert presence["rich"]["status"] == "server_not_configured"


def test_nobody_published_is_unknown_and_nobody_known_is_not_found(start):
    with Kamailio(domain=DOMAIN) as kamailio:
        daemon = start({"console": ADMIN}, users=[person("ann"), person("missing1"), person("forbidden1")],
                       sources=[source(kamailio)])
        console = daemon.console()
        console.subscribe(users=["ann", "missing1", "forbidden1"])

        def statuses():
            return [console.table[name]["rich"]["status"] for name in ("ann", "missing1", "forbidden1")]

        console.wait(lambda: statuses() == ["ok", "not_found", "access_denied"], "statuses")
        assert console.table["ann"]["overall"] == "unknown"
        assert "availability" not in console.table["ann"]["rich"]


def test_the_server_holds_a_subscription_for_those_who_are_wanted(start):
    names = [f"u{i}" for i in range(40)]
    with Kamailio(domain=DOMAIN) as kamailio:
        daemon = start({"console": ADMIN, "monitoring": {"linger": "1s"}}, users=[person(name) for name in names],
                       sources=[source(kamailio, domains=["rich"])])
        console = daemon.console()
        wait_source(console, "up")
        assert not kamailio.subscriptions()

        console.subscribe(users=names[:25])
        wanted = {("presence", uri(name)): 1 for name in names[:25]}
        until(lambda: dict(kamailio.subscriptions()) == wanted, "25 subscriptions")
        console.subscribe(users=names[20:30])
        wanted = {("presence", uri(name)): 1 for name in names[20:30]}
        until(lambda: dict(kamailio.subscriptions()) == wanted, "the 10 of the other set")
        console.close()
        until(lambda: not kamailio.subscriptions(), "none")


def test_subscriptions_end_with_the_daemon(start):
    with Kamailio(domain=DOMAIN) as kamailio:
        daemon = start({"console": ADMIN} | ALWAYS,
                       users=[person(f"u{i}") for i in range(300)], sources=[source(kamailio, domains=["rich"])])
        until(lambda: len(kamailio.subscriptions()) == 300, "all are subscribed")

        daemon.stop()

        until(lambda: not kamailio.subscriptions(), "none is left")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_killed_and_started_again(start, transport):
    with Kamailio(domain=DOMAIN) as kamailio:
        daemon = start({"console": ADMIN, "hold": "2s"}, users=[person("ann"), person("bob")],
                       sources=[source(kamailio, transport, keepalive="5s")])
        console = daemon.console()
        console.subscribe(users=["ann", "bob"])
        with publisher_of(kamailio) as publisher:
            say(publisher, "ann", "busy")
            say(publisher, "bob", "away")
            console.wait_overall("ann", "busy")
            console.wait_overall("bob", "away")

        kamailio.kill()

        console.wait(lambda: console.table["ann"]["rich"]["status"] == "stale", "stale")
        assert console.table["ann"]["rich"]["availability"] == "busy"
        console.wait(lambda: console.table["ann"]["rich"]["status"] == "error", "error")
        assert cups(console)["status"] == "connection_error"
        assert "127.0.0.1" in cups(console)["why"]

        kamailio.start()
        with publisher_of(kamailio) as publisher:
            say(publisher, "ann")
            console.wait_overall("ann", "available", deadline=60)
            console.wait(lambda: console.table["bob"]["rich"]["status"] == "ok", "bob was said anew")
            assert "availability" not in console.table["bob"]["rich"]


def test_restarted_so_quickly_that_nobody_noticed(start):
    """Over UDP nothing tells of it but the refresh that is answered 481."""
    with Kamailio(domain=DOMAIN) as kamailio:
        daemon = start({"console": ADMIN} | ALWAYS,
                       users=[person(f"u{i}", str(100 + i)) for i in range(20)], sources=[source(kamailio)])
        console = daemon.console()
        console.subscribe(all=True)
        with publisher_of(kamailio) as publisher:
            for i in range(20):
                say(publisher, f"u{i}", "busy")
            console.wait(lambda: all(row["overall"] == "busy" for row in console.table.values()), "all busy")
        connections = details(console)["connections"]

        kamailio.kill()
        kamailio.start()
        with publisher_of(kamailio) as publisher:
            for i in range(20):
                say(publisher, f"u{i}", "away")
            console.wait(lambda: all(row["overall"] == "away" for row in console.table.values()), "all away", 60)

        assert details(console)["connections"] == connections, "the connection was never lost"
        assert details(console)["forgotten"] >= 1


def test_frozen_server(start):
    """It does not answer the keep-alive: stale; and goes on where it was."""
    with Kamailio(domain=DOMAIN) as kamailio, publisher_of(kamailio) as publisher:
        daemon = start({"console": ADMIN}, users=[person("ann")], sources=[source(kamailio, keepalive="5s")])
        console = daemon.console()
        console.subscribe(users=["ann"])
        say(publisher, "ann", "busy")
        console.wait_overall("ann", "busy")

        kamailio.freeze()
        console.wait(lambda: console.table["ann"]["rich"]["status"] == "stale", "stale", 40)
        assert "OPTIONS" in cups(console)["why"]
        kamailio.thaw()

        console.wait(lambda: console.table["ann"]["rich"]["status"] == "ok", "it is back", 60)
        say(publisher, "ann", "away")
        console.wait_overall("ann", "away")


STATES = [("open", ()), ("open", ("busy",)), ("open", ("away",)), ("open", ("on-the-phone",)),
          ("open", ("meeting", "busy")), ("closed", ()), ("open", ("vacation",)), ("open", ("dnd",))]
CALLS = [["early"], ["confirmed"], ["confirmed", "early"]]
ENDED = [["terminated"]]  # in the last round only: Kamailio notifies nobody of what is published after it


def random_document(rng, i, round_number):
    """(user, body, event) of one random PUBLISH."""
    if i % 2 == 0:
        basic, activities = rng.choice(STATES)
        return f"u{i}", pidf(uri(f"u{i}"), basic, activities, note=f"note {rng.randrange(1000)}"), "presence"
    calls = rng.choice(CALLS + ENDED if round_number == ROUNDS else CALLS)
    dialogs = [{"id": f"d{n}", "state": state, "direction": rng.choice(["recipient", "initiator"]),
                "remote": f"sip:{rng.randrange(1000)}@pbx"} for n, state in enumerate(calls)]
    return f"{10000 + i}", dialog_info(uri(10000 + i), round_number, dialogs), "dialog"


def expected(i, body):
    """What the last document of user i says, read by the independent model: (half, its facts)."""
    body = body.encode() if isinstance(body, str) else body
    if i % 2 == 0:
        said = pidf_model.read(body)["rich"]
        return "rich", {key: said.get(key) for key in ("availability", "activity", "note")}
    said = dialog_info_model.DialogInfo().apply(body)["telephony"]
    return "telephony", {key: said.get(key) for key in ("line", "calls")}


def is_right(presence, half, facts):
    return all(presence[half].get(key) == value for key, value in facts.items())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_storm_of_publications(start, transport):
    """Every one of 2,000 users is right at the end, whatever was said in between."""
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"SEED={seed}")
    rng = random.Random(seed)
    users = [{"id": f"u{i}", "sip_uri": uri(f"u{i}")} if i % 2 == 0 else
             {"id": f"u{i}", "extension": str(10000 + i)} for i in range(STORM_USERS)]
    with Kamailio(domain=DOMAIN, publ_cache=2, subs_db_mode=0) as kamailio, publisher_of(kamailio) as publisher:
        daemon = start({"console": ADMIN} | ALWAYS, users=users,
                       sources=[source(kamailio, transport)])
        console = daemon.console()
        console.subscribe(all=True)
        until(lambda: details(console)["established"] == STORM_USERS, "all are watched")
        last = {}
        for round_number in range(1, ROUNDS + 1):
            documents = []
            for i in rng.sample(range(STORM_USERS), STORM_USERS if round_number == ROUNDS else STORM_USERS // 2):
                documents.append(random_document(rng, i, round_number))
                last[i] = documents[-1][1]
            publisher.publish_many(documents, in_flight=64)

        truth = {f"u{i}": expected(i, body) for i, body in last.items()}
        wrong = set(truth)

        def all_right():
            """Whether nobody is wrong; looks on from the first who is, since it is asked at each message."""
            while wrong and is_right(console.table[user := next(iter(wrong))], *truth[user]):
                wrong.discard(user)
            if not wrong:
                wrong.update(user for user in truth if not is_right(console.table[user], *truth[user]))
            return not wrong

        try:
            console.wait(all_right, "everybody is right", 60)
        except Deadline as error:
            user = next(iter(wrong))
            raise AssertionError(f"{user}: {truth[user]} is shown as {console.table[user]}") from error
        assert details(console)["bad_documents"] == 0
