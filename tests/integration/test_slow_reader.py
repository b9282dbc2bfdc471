"""A console that does not read costs nobody anything. SPDX-License-Identifier: MIT"""

import pytest

from presenced import BUSY, IDLE, people, until

USERS = [f"u{n}" for n in range(200)]
CHANGES = 20_000
GROWTH_KIB = 4096  # that the one who does not read may cost more


def run(start, reads):
    """Many changes while a console reads, or does not. Growth of the daemon, and the console."""
    daemon = start(users=people(*USERS))
    feed = daemon.feed(truth={user: {"telephony": IDLE} for user in USERS})
    console = daemon.console(checked=0.01)
    console.subscribe(users=USERS)
    for user in USERS:
        console.wait_overall(user, "available")
    admin = daemon.console()
    before = admin.call("server.stats")["memory"]["rss_kib"]
    for n in range(CHANGES // len(USERS)):
        for user in USERS:
            feed.set(user, telephony=BUSY if n % 2 == 0 else IDLE | {"calls": [{"state": "ringing", "name": f"{n}"}]})
        until(lambda: admin.source()["details"]["lines"] == feed.sent, "all was read")
        if reads:
            last = admin.call("server.stats")["seq"]
            console.wait(lambda: console.seq >= last, "everything")
    published = admin.call("server.stats")["published"]
    growth = admin.call("server.stats")["memory"]["rss_kib"] - before
    assert published > CHANGES * 0.9, "each round is a change of everybody"
    return console, growth


def test_console_that_stops_reading_costs_no_memory_and_ends_with_the_right_states(start):
    _, growth_reading = run(start, reads=True)
    console, growth = run(start, reads=False)

    last = console.call("presence.get", users=USERS)["presences"]
    console.wait(lambda: console.table == {presence["user"]: presence for presence in last}, "the last state of everybody")
    changes = sum(line["method"] == "presence.changed" for line in console.notifications)
    assert growth <= growth_reading + GROWTH_KIB, f"{growth} KiB instead of {growth_reading}"
    assert changes < CHANGES / 2, "intermediate states are left out"


@pytest.mark.parametrize("method", ["server.info", "users.list"])
def test_console_that_asks_and_does_not_read_is_not_read_either(start, method):
    daemon = start(users=people(*USERS))
    console = daemon.console()
    console.socket.setblocking(False)
    line = b'{"jsonrpc":"2.0","id":1,"method":"%s"}\n' % method.encode()
    sent = 0
    admin = daemon.console()
    with pytest.raises(BlockingIOError):
        while sent < 100 * 1024 * 1024:
            sent += console.socket.send(line * 1000)
            admin.barrier()

    assert admin.call("server.stats")["memory"]["rss_kib"] < 200 * 1024
    while console.socket.getblocking() is False:
        console.socket.setblocking(True)
    assert console.next_message()["id"] == 1


def test_console_that_reads_late_is_told_to_the_end_wherever_the_socket_was_full(start):
    daemon = start(users=people(*USERS))
    feed = daemon.feed(truth={user: {"telephony": IDLE, "rich": {"availability": "away"}} for user in USERS})
    admin = daemon.console()
    admin.subscribe(users=USERS)
    for user in USERS:
        admin.wait_overall(user, "away")
    for n in range(30):
        console = daemon.console(checked=0.01)
        console.subscribe(users=USERS)
        for note in ("a" * 900, "b" * (900 + n), "c" * (800 + n)):
            for user in USERS:
                feed.set(user, rich={"availability": "away", "note": note})
            until(lambda: admin.source()["details"]["lines"] == feed.sent, "all was read")
        admin.barrier()

        last = {one["user"]: one for one in admin.call("presence.get", users=USERS)["presences"]}
        console.wait(lambda: console.table == last, "the last state of everybody", deadline=10)
        console.close()
