"""A daemon that is killed at random moments while consoles change notes and users and a feed pushes states.

    Worker threads  --users.*, notes.*-->  Daemon  <--changes--  Load thread
         |                                   ^ SIGKILL, start
         `-- State acknowledged              `-- everything compared

Each worker has ids of its own and one request in flight, so that what must be there is known exactly: what was
acknowledged, and with it, or without it, what was in flight.

SPDX-License-Identifier: MIT
"""

import contextlib
import copy
import random
import shutil
import subprocess
import tempfile
import threading
import time

from kill_operations import Operations, State
from presenced import IDLE, Closed, Console, Daemon, RpcError, people, until
from store_world import ADMIN, ALWAYS, everything, fields, history, now_ms, wait_store

WORKERS = 4
FED = [f"fed{n}" for n in range(40)]
RATE = 800  # changes a second
LONGEST_MS = 600
NOT_NOW = -32004
SHOWN = 4000  # characters of what is wrong
GONE = (Closed, ConnectionError, BrokenPipeError)  # the daemon was killed


class Worker:
    """A console that changes its own users, and remembers what was acknowledged."""

    def __init__(self, number, rng):
        self.operations = Operations(number, rng)
        self.state = State(self.operations.in_file)
        self.flying = None  # the state if what is in flight has happened
        self.acknowledged = 0
        self.error = None

    def live(self, folder):
        """One operation after the other, until the daemon is gone."""
        try:
            with contextlib.closing(Console(folder / "presenced.sock", checked=0.2)) as console:
                while True:
                    self.step(console)
        except GONE:
            pass
        except Exception as error:  # told by the main thread
            self.error = error

    def step(self, console):
        operation = self.operations.choose(self.state)
        self.flying = operation.after
        for method, params in operation.requests:
            try:
                result = console.call(method, **params)
            except RpcError as error:
                if error.code == NOT_NOW:  # another console imports; nothing has happened
                    self.flying = None
                    return
                raise AssertionError(f"{method} {params}: {error}"[:SHOWN]) from error
        operation.check(result)
        self.state, self.flying = operation.acknowledged(result), None
        self.acknowledged += 1

    def settle(self, found):
        """What is found after the restart must be one of the possible states; that one it is from now on."""
        possible = [one for one in (self.state, self.flying) if one is not None]
        for state in possible:
            if state.matches(found):
                self.state, self.flying = state.filled(found), None
                return
        wrong = [{user: (rows.get(user), found.get(user)) for user in rows.keys() | found.keys()
                  if rows.get(user) != found.get(user)} for rows in (one.filled(found).rows() for one in possible)]
        raise AssertionError(f"of each possible state, what should be and what is: {wrong}"[:SHOWN])


class Load(threading.Thread):
    """The feed's changes, paced by the clock, each with another call."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.feed = daemon.feed(truth={user: {"telephony": IDLE, "rich": {"availability": "available"}} for user in FED})
        self.over = threading.Event()
        self.said = 0

    def run(self):
        begin = time.monotonic()
        with contextlib.suppress(OSError):
            while not self.over.is_set():
                self.said += 1
                line = {"line": "busy", "calls": [{"state": "connected", "name": f"{now_ms()}.{self.said}"}]}
                self.feed.set(FED[self.said % len(FED)], telephony=line)
                self.over.wait(max(0.0, begin + self.said / RATE - time.monotonic()))


class World:
    """The daemon over all its lives."""

    def __init__(self, rng):
        self.rng = rng
        self.workers = [Worker(number, random.Random(rng.random())) for number in range(WORKERS)]
        in_file = [row for worker in self.workers for row in worker.operations.in_file.values()]
        self.daemon = Daemon(ADMIN | ALWAYS, users=in_file + people(*FED), sanitizer=":quarantine_size_mb=1")
        self.kills, self.rounds = [], 0
        self.changes = self.rows = self.users = 0

    def round(self):
        """A life: load, a kill, a start, and everything compared."""
        self.rounds += 1
        with contextlib.closing(self.daemon.console()) as admin:
            wait_store(admin)
        load = Load(self.daemon)
        load.feed.wait_watched(*FED)
        threads = [threading.Thread(target=worker.live, args=(self.daemon.folder,), daemon=True) for worker in self.workers]
        for thread in (load, *threads):
            thread.start()
        delay = time.monotonic() + self.rng.uniform(0, LONGEST_MS) / 1000
        until(lambda: time.monotonic() > delay, "the moment of the kill")
        self.kill()
        load.over.set()
        for thread in (load, *threads):
            thread.join(30)
            assert not thread.is_alive(), "a thread does not end"
        load.feed.close()
        self.changes += load.said
        for worker in self.workers:
            if worker.error is not None:
                raise worker.error
        self.check_file()
        if self.rng.random() < 0.2:
            self.die_young()
        self.daemon.start()
        self.compare()

    def kill(self):
        assert self.daemon.process.poll() is None, self.daemon.log_text()
        self.daemon.kill()
        self.kills.append(now_ms())
        assert self.daemon.sanitizer_report() == "", self.daemon.sanitizer_report()

    def die_young(self):
        """Killed while it starts."""
        self.daemon.process = self.daemon.spawn("-c", str(self.daemon.file))
        delay = time.monotonic() + self.rng.uniform(0, 0.2)
        until(lambda: time.monotonic() > delay, "the moment of the kill")
        self.kill()

    def check_file(self):
        """The file is whole. A copy is looked at, so that it is the daemon that repairs it."""
        with tempfile.TemporaryDirectory(prefix="killed-") as folder:
            for suffix in ("", "-wal"):
                file = self.daemon.folder / "state" / f"presenced.db{suffix}"
                if file.exists():
                    shutil.copy(file, folder)
            done = subprocess.run(["sqlite3", f"{folder}/presenced.db", "pragma integrity_check"], capture_output=True,
                                  text=True, check=False)
        assert (done.stdout, done.stderr) == ("ok\n", ""), done

    # -- what is there after the start

    def compare(self):
        with contextlib.closing(self.daemon.console(checked=0.1)) as admin:
            wait_store(admin)
            found = {one: row(user, note) for one, (user, note) in everything(admin).items()}
            for worker in self.workers:
                worker.settle({one: entry for one, entry in found.items() if worker.operations.owns(one)})
            others = {one for one in found if not any(worker.operations.owns(one) for worker in self.workers)}
            assert others == set(FED), f"nobody has asked for {others ^ set(FED)}"
            notes = sum(len(worker.state.notes) for worker in self.workers)
            assert admin.call("server.stats")["notes"] == notes
            self.users += len(found)
            for user in self.rng.sample(FED, 3):
                self.check_history(admin, user)
        self.daemon.ends.clear()

    def check_history(self, admin, user):
        rows = history(admin, user, kills=self.kills)
        names = [call_name(row) for row in rows if call_name(row)]
        assert names == sorted(names), "the order in which it was said"
        known = False  # whether something is in the file from before a start
        for one in rows:
            assert one["kind"] != "stopped", "it was never stopped"
            assert one["kind"] != "started" or one["observed_until"] is not None or not known, one
            known = known or one["kind"] == "change"
        self.rows += len(rows)

    def finish(self):
        with contextlib.closing(self.daemon.console(checked=0.1)) as admin:
            for user in FED:
                self.check_history(admin, user)
        assert self.rows > self.rounds * 10, "the load has become history"

    def report(self):
        acknowledged = sum(worker.acknowledged for worker in self.workers)
        return (f"{self.rounds} rounds, {len(self.kills)} kills, {acknowledged} acknowledged operations, "
                f"{self.users} users compared, {self.changes} changes pushed, {self.rows} rows of history checked")


def call_name(one):
    """(time, number) of the call that a row shows."""
    calls = one["telephony"].get("calls") if one["kind"] == "change" else None
    return tuple(map(int, calls[0]["name"].split("."))) if calls else None


def row(user, note):
    """What the workers' state knows of a user: merged fields, what each origin says, and the note."""
    said = {origin["origin"]: fields(origin) for origin in user["origins"]}
    keys = {origin["origin"]: origin["key"] for origin in user["origins"]}
    return {"merged": fields(user), "hand": said.get("hand"), "file": keys.get("file"), "note": copy.copy(note)}


def run(rng, rounds):
    """So many rounds in one folder; the report."""
    world = World(rng)
    try:
        for _ in range(rounds):
            world.round()
        world.finish()
        return world.report()
    except BaseException as error:
        raise AssertionError(f"{world.report()}; {type(error).__name__}: {error}") from error
    finally:
        if world.daemon.process.poll() is None:
            world.daemon.remove()
        shutil.rmtree(world.daemon.folder, ignore_errors=True)
