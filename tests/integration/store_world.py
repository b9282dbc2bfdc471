"""What tests of the store, the directory and history share: administrators, restarts, all pages, a feed that knows users.

SPDX-License-Identifier: MIT
"""

import json
import subprocess
import sys
import time

from presenced import BUILD, EVERYTHING, PROGRAM, TESTS, Deadline, RpcError, console_socket, until

sys.path.insert(0, str(TESTS / "model"))

import history_model  # noqa: E402

ADMIN = {"console": [console_socket("presenced", EVERYTHING)]}
ALWAYS = {"monitoring": {"mode": "always"}}
SANITIZED = b"__asan_init" in PROGRAM.read_bytes() if PROGRAM.exists() else False  # then nothing is said about time


def now_ms():
    return time.time_ns() // 1_000_000


def timestamp(ms):
    """As the protocol writes a time."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03}Z"


# ---- the daemon -----------------------------------------------------------------------------


def stop_and_start(daemon):
    daemon.stop()
    daemon.start()


def kill_and_start(daemon):
    daemon.kill()
    daemon.start()


ENDS = [stop_and_start, kill_and_start]


def ctl(daemon, *arguments, deadline=120, text=None):
    """Exit status, output and errors of presencectl."""
    done = subprocess.run([BUILD / "presencectl", "-s", str(daemon.folder / "presenced.sock"), *map(str, arguments)],
                          input=text, capture_output=True, text=True, timeout=deadline, check=False)
    return done.returncode, done.stdout, done.stderr


def ctl_json(daemon, *arguments):
    """The objects that presencectl --json prints; it must end well."""
    status, out, err = ctl(daemon, "--json", *arguments)
    assert status == 0, (arguments, out, err)
    return [json.loads(line) for line in out.splitlines()]


# ---- the directory --------------------------------------------------------------------------


def pages(console, method, key, **params):
    """The rows of all pages, and the last page."""
    rows = []
    while True:
        page = console.call(method, **params)
        rows += page[key]
        if page["next"] is None:
            return rows, page
        params["after"] = page["next"]


def all_users(console):
    """{id: user} as users.list shows them."""
    return {user["id"]: user for user in pages(console, "users.list", "users", limit=1000)[0]}


def user_of(console, user):
    return console.call("users.get", user=user)["user"]


def fields(user):
    """What a user, or one origin of it, says, with what is not said filled in."""
    return {"name": user.get("name", ""), "groups": user.get("groups", []), "addresses": user.get("addresses", {})}


def origins(console, user):
    """[(origin, fields)] in their order."""
    return [(origin["origin"], fields(origin)) for origin in user_of(console, user)["origins"]]


def everything(console):
    """{id: (user with origins, note)}: all that the directory knows, and the notes."""
    ids = sorted(all_users(console))
    found = {}
    for n in range(0, len(ids), 200):
        some = ids[n:n + 200]
        asked = [console.request("users.get", user=one) for one in some]
        users = [console.answer(request)["user"] for request in asked]
        presences = console.call("presence.get", users=some)["presences"]
        found |= {one: (user, presence.get("note", "not known")) for one, user, presence in zip(some, users, presences)}
    assert list(found) == ids
    return found


def note_of(console, user):
    return console.presence(user)["note"]


class Directory:
    """A feed that knows users: it says a directory, and reads what became of it."""

    def __init__(self, feed):
        self.feed = feed
        self.read = 0  # lines that were looked at

    def begin(self):
        self.read = len(self.feed.lines)
        self.feed.say({"directory": "begin"})

    def end(self, complete=True, deadline=60):
        """The answer: taken with numbers, or refused with why."""
        self.feed.say({"directory": "end", "complete": complete})
        answers = []

        def answered():
            answers[:] = [line for line in self.feed.lines[self.read:] if "directory" in line or "error" in line]
            return answers

        self.feed.wait(answered, "an answer to the directory", deadline)
        assert len(answers) == 1, answers
        return answers[0]

    def say(self, *entries, complete=True, deadline=60):
        """A whole directory; an entry is (key, id, name, groups and addresses)."""
        self.begin()
        for n in range(0, len(entries), 1000):
            self.feed.say(*({"entry": key} | said for key, said in entries[n:n + 1000]))
        return self.end(complete, deadline)


def counts(result):
    return {key: result[key] for key in ("added", "changed", "unchanged", "removed")}


def numbers(added=0, changed=0, unchanged=0, removed=0):
    return {"added": added, "changed": changed, "unchanged": unchanged, "removed": removed}


# ---- the store ------------------------------------------------------------------------------


def store(console):
    return console.call("server.stats")["store"]


def wait_store(console, status="ok", deadline=30):
    """The store's statistics, once it has this status."""
    def seen():
        found = store(console)
        return found["status"] == status and found

    try:
        return until(seen, f"store {status}", deadline)
    except Deadline as error:
        raise Deadline(f"{error}; it is {store(console)}") from None


def wait_written(console):
    """What sources have said counts at once and is written a moment later: until it is."""
    until(lambda: store(console)["waiting"] == 0, "nothing waits to be written")


def try_call(console, method, **params):
    """The result, or the error."""
    try:
        return console.call(method, **params)
    except RpcError as error:
        return error


# ---- history --------------------------------------------------------------------------------


def history(console, user, **params):
    """All rows of a user, which hold what the model says; `kills` of it may be given."""
    kills = params.pop("kills", ())
    rows, _ = pages(console, "history.list", "rows", user=user, **{"limit": 1000} | params)
    history_model.check(user, rows, kills, "calls" in console.permissions)
    return rows


def kinds(rows):
    return [row["kind"] for row in rows]


def changes(rows):
    return [row for row in rows if row["kind"] == "change"]
