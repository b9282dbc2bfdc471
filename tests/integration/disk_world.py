"""A daemon whose disk fails, and what must go on all the same.

SPDX-License-Identifier: MIT
"""

import itertools
import os
import pathlib
import subprocess
import threading
import time

import pytest

from presenced import BUSY, IDLE, people
from store_world import ADMIN, ENDS, Deadline, RpcError, everything, store, try_call, user_of, wait_store

USERS = [f"u{n}" for n in range(50)]
ROUNDS = 10  # changes of everybody, when it is looked at how fast they come
RETRY = 5.0  # so often the daemon tries again
AGAIN = RETRY + 10  # that it may take until the store is back, on a machine that has more to do


# ---- disks ----------------------------------------------------------------------------------


def mount(*arguments):
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)


class Disk:
    """A small file system of its own, mounted over the folder."""

    def __init__(self, folder, kib):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        if os.geteuid() != 0:
            pytest.skip("only root can mount a file system")
        done = mount("-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", self.folder)
        if done.returncode != 0:
            pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")

    def remount(self, how):
        done = mount("-o", f"remount,{how}", self.folder)
        assert done.returncode == 0, done.stderr

    def remove(self):
        subprocess.run(["umount", "-l", self.folder], check=False)


class Filler(threading.Thread):
    """Takes all room that there is, and all that becomes free, until it is stopped."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.file = pathlib.Path(folder) / "filler"
        self.over, self.full = threading.Event(), threading.Event()
        self.start()
        assert self.full.wait(30), "the disk is not full"

    def run(self):
        with open(self.file, "ab", buffering=0) as out:
            while not self.over.is_set():
                try:
                    out.write(b"x" * 4096)
                except OSError:
                    self.full.set()
                    self.over.wait(0.01)

    def stop(self):
        self.over.set()
        self.join()
        self.file.unlink()


def overwrite(file, begin, end, rng):
    """Random bytes over this part of a file."""
    with open(file, "r+b") as out:
        out.seek(begin)
        out.write(rng.randbytes(end - begin))


def overwrite_header(file, rng):
    overwrite(file, 0, 100, rng)


def overwrite_pages(file, rng):
    """All pages but the first, so that whoever reads one finds it out."""
    for begin in range(4096, file.stat().st_size, 4096):
        overwrite(file, begin, begin + 2048, rng)


# ---- the daemon -----------------------------------------------------------------------------


class Office:
    """A daemon, its feed, and a console that watches everybody and may do everything."""

    def __init__(self, start, **options):
        config = ADMIN | {"hold": "1h"} | options.pop("config", {})
        self.daemon = start(config, users=people(*USERS, extension="2001"), **options)
        self.state = self.daemon.folder / self.daemon.config["state"]
        self.database = self.state / "presenced.db"
        self.busy = False
        self.ends = []
        self.open()
        self.usual = self.flow()

    def open(self):
        for end in self.ends:
            end.close()
        free = {"telephony": IDLE, "rich": {"availability": "available"}}
        self.feed = self.daemon.feed(truth={user: dict(free) for user in USERS})
        self.console = self.daemon.console(checked=0.05)
        self.watcher = self.daemon.console(checked=0.05)
        self.ends = [self.feed, self.console, self.watcher]
        self.watcher.subscribe(users=USERS)
        self.wait_all("available")

    def start_again(self):
        self.daemon.start()
        self.open()
        self.busy = False

    def wait_all(self, overall):
        self.watcher.wait(lambda: all(self.watcher.table[user]["overall"] == overall for user in USERS), f"all {overall}")

    def flow(self):
        """Changes go from the feed to the console, every one; the seconds that they take."""
        begin = time.monotonic()
        for _ in range(ROUNDS):
            self.busy = not self.busy
            for user in USERS:
                self.feed.set(user, telephony=BUSY if self.busy else IDLE)
            self.wait_all("busy" if self.busy else "available")
        self.watcher.notifications.clear()
        return time.monotonic() - begin

    # -- while it fails

    def check_goes_on(self):
        """Presence flows as before; sources and a reload work."""
        taken = self.flow()
        assert taken < 2 * self.usual + 1, f"{taken:.3f} s instead of {self.usual:.3f} s"
        self.console.call("sources.stop", name="switch")
        assert self.console.source()["status"] == "stopped"
        self.console.call("sources.start", name="switch")
        self.open()
        self.busy = False
        assert "users" in self.console.call("config.reload")

    def check_refused(self):
        """Changes are refused with a reason, and change nothing."""
        before = everything(self.console)
        for method, params in (
                ("notes.set", {"user": "u0", "text": "not to be kept"}), ("notes.clear", {"user": "u1"}),
                ("users.set", {"user": "u2", "name": "Not To Be Kept"}), ("users.set", {"user": "new"}),
                ("users.rename", {"user": "u3", "to": "u3.b"}),
                ("users.import", {"users": [{"id": "new"}, {"id": "u4", "name": "N"}]})):
            error = self.console.error_of(method, **params)
            assert error.code == -32005 and error.data["why"], (method, error)
        assert everything(self.console) == before

    def check_unavailable(self, *words):
        """The statistics say so, with a sentence that names one of the words and the place."""
        found = wait_store(self.console, "unavailable")
        why = found["why"].lower()
        assert any(word in why for word in words), f"{found['why']!r} names none of {words}"
        assert str(self.state).lower() in why, f"{found['why']!r} does not say where"
        assert found["file"] == str(self.database)
        return found

    def check_fails(self, *words):
        self.check_unavailable(*words)
        self.check_goes_on()
        self.check_refused()
        self.check_goes_on()

    # -- and when it works again

    def check_returns(self):
        """By itself, within its retry."""
        begin = time.monotonic()
        wait_store(self.console, deadline=AGAIN)
        print(f"the store is back after {time.monotonic() - begin:.1f} s")
        self.console.call("notes.set", user="u49", text="after it came back")
        assert "why" not in store(self.console)

    def check_kept(self, expected=None):
        """All that is known, or what is expected, is there after restarts of either kind."""
        expected = everything(self.console) if expected is None else expected
        for end in ENDS:
            end(self.daemon)
            self.console = self.daemon.console(checked=0.05)
            wait_store(self.console)
            assert everything(self.console) == expected

    # -- changes

    def write(self, first, count):
        """Notes and users; what is acknowledged is in everything()."""
        for n in range(first, first + count):
            user = USERS[n % len(USERS)]
            self.console.call("notes.set", user=user, text=f"note {n}", author="the desk")
            self.console.call("users.set", user=user, name=f"Name {n}", groups=[f"group {n}"])

    def write_until_refused(self, deadline=30):
        """Large changes until one is refused: with the right error, and nothing of it has happened."""
        end = time.monotonic() + deadline
        for number in itertools.count(1):
            user = USERS[number % len(USERS)]
            for method, params in (("notes.set", {"text": f"{number} " + "n" * 1000}),
                                   ("users.set", {"name": f"{number} " + "N" * 1000})):
                before = user_of(self.console, user), self.console.presence(user).get("note")
                answer = try_call(self.console, method, user=user, **params)
                if isinstance(answer, RpcError):
                    assert answer.code == -32005 and answer.data["why"], answer
                    assert (user_of(self.console, user), self.console.presence(user).get("note")) == before
                    return
            if time.monotonic() > end:
                raise Deadline(f"{number} changes were taken although the disk does not work")
