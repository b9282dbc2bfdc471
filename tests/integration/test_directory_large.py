"""A directory of 100,000: imported, exported, synchronised, guarded; and the loop does not stall on it.

DIRECTORY_USERS  how many (default 100000)

SPDX-License-Identifier: MIT
"""

import contextlib
import csv
import io
import os

from presenced import DEADLINE, feed_source
from store_world import ADMIN, SANITIZED, Directory, all_users, counts, ctl, numbers, pages, wait_store

USERS = int(os.environ.get("DIRECTORY_USERS", "100000"))
LOST = USERS * 3 // 10
LONG = 40 * DEADLINE  # for what goes through all of them under sanitizers


def person(n):
    return {"id": f"p{n:06}", "name": f"Person {n}", "groups": [f"floor {n % 40}", "all"],
            "addresses": {"extension": str(200000 + n), "sip_uri": f"sip:p{n}@example.test", "line@switch": f"7{n}"}}


def row(n):
    """The same as a line of a file."""
    one = person(n)
    return {"id": one["id"], "name": one["name"], "groups": ";".join(one["groups"])} | one["addresses"]


class Stalls:
    """The loop is not held up inside each `with`. Sanitizers make everything slow: then it is only printed."""

    def __init__(self, console):
        self.console, self.found = console, []

    @contextlib.contextmanager
    def none_by(self, what):
        before = self.console.call("server.stats")["loop"]["stalls"]
        yield
        after = self.console.call("server.stats")["loop"]
        longest = f"{after['longest_us']} us in {after['longest']}"
        line = f"{what}: {after['stalls'] - before} stalls; the longest since the start is {longest}"
        print(line)
        if after["stalls"] > before:
            self.found.append(line)

    def check(self):
        assert SANITIZED or not self.found, self.found


def snapshot(console):
    return pages(console, "users.list", "users", limit=1000)[0]


def refused(console):
    """The error of a reload, however long it takes."""
    request = console.request("config.reload")
    message = console.next_message(LONG)
    assert message["id"] == request, message
    return message["error"]


def test_a_large_import_and_its_export_and_its_import_again(start):
    daemon = start(ADMIN)
    console = daemon.console(checked=0.01)
    wait_store(console)
    file = daemon.folder / "people.csv"
    out = io.StringIO()
    writer = csv.DictWriter(out, list(row(0)))
    writer.writeheader()
    writer.writerows(map(row, range(USERS)))
    file.write_text(out.getvalue(), encoding="utf-8")

    stalls = Stalls(console)
    with stalls.none_by("import"):
        status, said, err = ctl(daemon, "users", "import", file, deadline=LONG)
    assert status == 0, (said, err)
    assert snapshot(console) == [person(n) for n in range(USERS)]
    exported = daemon.folder / "exported.csv"
    with stalls.none_by("export"):
        assert ctl(daemon, "users", "export", exported, deadline=LONG)[0] == 0
    with stalls.none_by("the same import again"):
        assert ctl(daemon, "users", "import", "--replace", exported, deadline=LONG)[0] == 0
    assert snapshot(console) == [person(n) for n in range(USERS)]
    stalls.check()
    daemon.kill()
    daemon.start()
    assert snapshot(daemon.console(checked=0.01)) == [person(n) for n in range(USERS)]


def test_a_large_directory_of_a_source_that_loses_a_third_is_refused_until_it_is_forced(start):
    daemon = start(ADMIN, sources=[feed_source("hr", "xmpp", directory={"use": True})])
    console = daemon.console(checked=0.01)
    wait_store(console)
    hr = Directory(daemon.feed("hr"))
    entries = [(f"k{n}", person(n)) for n in range(USERS)]

    stalls = Stalls(console)
    with stalls.none_by("the first directory"):
        assert hr.say(*entries, deadline=LONG) == {"directory": "taken", "conflicts": 0} | numbers(added=USERS)
    with stalls.none_by("a directory that is refused"):
        answer = hr.say(*entries[LOST:], deadline=LONG)
    assert answer["directory"] == "refused" and str(LOST) in answer["why"] and str(USERS) in answer["why"], answer
    assert len(all_users(console)) == USERS
    with stalls.none_by("the same by force"):
        request = console.request("users.sync", source="hr", force=True)
        result = console.answer(request, LONG)
    assert counts(result) == numbers(unchanged=USERS - LOST, removed=LOST)
    assert snapshot(console) == [person(n) for n in range(LOST, USERS)]
    stalls.check()
    daemon.stop()
    daemon.start()
    assert len(all_users(daemon.console(checked=0.01))) == USERS - LOST


def test_a_large_file_that_loses_a_third_is_refused_until_it_is_forced(start):
    rows = list(map(row, range(USERS)))
    daemon = start(ADMIN, users=rows)
    console = daemon.console(checked=0.01)
    daemon.write_users(rows[LOST:])

    stalls = Stalls(console)
    with stalls.none_by("a reload that is refused"):
        error = refused(console)
    assert error["code"] == -32006 and str(LOST) in error["message"] and str(USERS) in error["message"], error
    assert len(all_users(console)) == USERS
    with stalls.none_by("a reload by force"):
        result = console.answer(console.request("config.reload", force=True), LONG)
    assert counts(result["users"]) == numbers(unchanged=USERS - LOST, removed=LOST)
    assert snapshot(console) == [person(n) for n in range(LOST, USERS)]
    stalls.check()
