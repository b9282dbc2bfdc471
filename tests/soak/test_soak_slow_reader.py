"""A console that stops reading for a minute at 1,000 changes a second, beside one that reads all: `make soak`.

SOAK_SECONDS     how long (default 60)
PRESENCED_BUILD  the folder with presenced

SPDX-License-Identifier: MIT
"""

import os
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from presenced import BUSY, IDLE, Daemon, people, until  # noqa: E402

SECONDS = int(os.environ.get("SOAK_SECONDS", "60"))
RATE = 1000
USERS = [f"u{n}" for n in range(500)]
GROWTH_KIB = 8192  # the rings of recent changes (2 x 4 MiB) are filled in the meantime


def change(feed):
    """RATE changes a second, paced by the clock."""
    begin = time.monotonic()
    for n in range(SECONDS * RATE):
        user = USERS[n % len(USERS)]
        feed.set(user, telephony=BUSY if n // len(USERS) % 2 == 0 else IDLE)
        ahead = begin + n / RATE - time.monotonic()
        if ahead > 0.01:
            threading.Event().wait(ahead)


def test_slow_reader_for_a_minute():
    daemon = Daemon(users=people(*USERS), sanitizer=":quarantine_size_mb=1")
    try:
        feed = daemon.feed(truth={user: {"telephony": IDLE, "rich": {"availability": "available"}} for user in USERS})
        slow, quick = daemon.console(checked=0.01), daemon.console(checked=0.001)
        for console in (slow, quick):
            console.subscribe(users=USERS)
            console.wait(lambda c=console: all(p["overall"] == "available" for p in c.table.values()), "all free")
        admin = daemon.console()
        before = admin.call("server.stats")["memory"]["rss_kib"]
        changing = threading.Thread(target=change, args=(feed,))
        changing.start()
        while changing.is_alive():
            quick.barrier()
            quick.notifications.clear()
        until(lambda: admin.source()["details"]["lines"] == feed.sent, "all was read")
        stats = admin.call("server.stats")
        last = {one["user"]: one for one in admin.call("presence.get", users=USERS)["presences"]}
        print(f"{stats['published']} changes in {SECONDS} s, growth {stats['memory']['rss_kib'] - before} KiB")
        slow.wait(lambda: slow.table == last, "the right state of everybody")
        quick.wait(lambda: quick.table == last, "the right state of everybody")
        assert stats["memory"]["rss_kib"] - before < GROWTH_KIB
        assert len(slow.notifications) < stats["published"] / 2
    finally:
        daemon.remove()
