"""More changes than history can hold while its disk is away: what is lost is said.

GAP_CHANGES  how many (default 80000: 65,536 are held)

SPDX-License-Identifier: MIT
"""

import os

from presenced import IDLE, people, until
from store_world import ADMIN, ALWAYS, history, store, wait_store

CHANGES = int(os.environ.get("GAP_CHANGES", "80000"))
HELD = 65_536
USERS = [f"u{n}" for n in range(400)]


def call(n):
    """Another one each time, so that each is a change."""
    return {"line": "busy", "calls": [{"state": "connected", "name": f"{n}"}]}


def name_of(row):
    calls = row["telephony"].get("calls") if row["kind"] == "change" else None
    return int(calls[0]["name"]) if calls else None


def wait_published(console, feed):
    """Everything that the feed has said was read, and made a presence."""
    until(lambda: console.source()["details"]["lines"] == feed.sent and console.call("server.stats")["dirty"] == 0,
          "all is told")


def test_rows_that_found_no_room_are_counted_and_what_comes_after_says_gap(start):
    daemon = start(ADMIN | ALWAYS, users=people(*USERS), start=False)
    (daemon.folder / "state").write_text("in the way", encoding="utf-8")
    daemon.start()
    console = daemon.console(checked=0.01)
    wait_store(console, "unavailable")
    feed = daemon.feed(truth={user: {"telephony": IDLE} for user in USERS})
    feed.wait_watched(*USERS)

    for n in range(CHANGES // len(USERS)):
        for user in USERS:
            feed.set(user, telephony=call(n))
        wait_published(console, feed)
    held = store(console)
    assert held["rows_lost"] > 0 and held["waiting"] <= HELD + 1000, held
    (daemon.folder / "state").unlink()
    wait_store(console, deadline=60)
    for user in USERS:
        feed.set(user, telephony=call(CHANGES))

    last = CHANGES // len(USERS) - 1
    gaps = {}
    for user in USERS:
        rows = until(lambda u=user: name_of((found := history(console, u))[-1]) == CHANGES and found,
                     f"the last row of {user}")
        names = [name for row in rows if (name := name_of(row)) is not None]
        assert names == sorted(names)
        missing = set(range(last + 1)) - set(names)
        for lost in missing:
            after = next(row for row in rows if (name_of(row) or -1) > lost or row is rows[-1])
            assert "gap" in after, (user, lost)
        gaps[user] = [row for row in rows if "gap" in row]
        assert gaps[user], f"{user} has lost rows, as everybody"
    daemon.kill()
    daemon.start()
    console = daemon.console(checked=0.01)
    for user, rows in gaps.items():
        assert [row for row in history(console, user) if "gap" in row] == rows
