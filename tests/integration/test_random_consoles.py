"""1,000 random lives of a console: whatever happens to its connection, the set, the directory and the states, in the end
its table is what presence.get says of its set, and nothing else.

SEED  repeats a random test; it is printed
RUNS  how many (default 1000)

SPDX-License-Identifier: MIT
"""

import os
import random

from presenced import BUSY, IDLE, RINGING, Closed, Console, Deadline, feed_source, reload_by, until

RUNS = int(os.environ.get("RUNS", "1000"))
USERS = [f"u{n}" for n in range(40)]
GROUPS = ["sales", "support", "board", "nobody"]
AVAILABILITIES = ["available", "available_idle", "away", "busy", "dnd", "offline"]
CHECKED = 0.02  # of all messages are held against their schema: all of them would take minutes


class Life:
    """One console, and what it remembers from connection to connection."""

    def __init__(self, world, rng):
        self.world, self.rng = world, rng
        self.console = None
        self.wanted = None  # parameters of the last complete subscription; its table and position
        self.table, self.position, self.instance = {}, None, None
        self.asked = None  # parameters of the subscription on this connection
        self.steps = []

    def choose_set(self):
        kind = self.rng.choice(["users", "groups", "both", "all"])
        params = {"demand": self.rng.random() < 0.7}
        if kind in ("users", "both"):
            params["users"] = self.rng.sample(USERS + ["zoe"], self.rng.randint(1, 20))
        if kind in ("groups", "both"):
            params["groups"] = self.rng.sample(GROUPS, self.rng.randint(1, 3))
        if kind == "all":
            params["all"] = True
        return params

    def connect(self):
        self.console = Console(self.world.daemon.folder / "presenced.sock", checked=CHECKED)

    def keep(self):
        """What a console remembers is that of its last complete synchronisation and after."""
        if self.console.synced:
            self.wanted = self.asked
            self.table, self.position = dict(self.console.table), self.console.position
            self.instance = self.console.instance

    def subscribe(self, params):
        """A new set on this connection: what is known of users in both stays."""
        self.asked = params
        self.console.start_subscribe(**params)
        members = self.world.members(params)
        for user in set(self.console.table) - members:
            del self.console.table[user]

    def resume(self):
        self.asked = self.wanted
        if self.wanted is None:
            self.asked = self.choose_set()
            self.console.start_subscribe(**self.asked)
            return
        self.console.table = dict(self.table)
        result = self.console.start_subscribe(**self.wanted, since={"instance": self.instance, "seq": self.position})
        assert result["resumed"], "nothing was forgotten and it is the same daemon"

    def step_replace(self):
        self.keep()
        self.subscribe(self.choose_set())

    def step_read(self):
        """Up to some bytes; what is not there does not come."""
        left = self.rng.choice([1, 10, 300, 3000, 30000])
        self.console.socket.setblocking(False)
        while left > 0:
            try:
                data = self.console.socket.recv(min(left, 4096))
            except BlockingIOError:
                break
            assert data, "closed by the daemon"
            left -= len(data)
            self.console.buffer += data
        while self.console.take_message() is not None:
            pass

    def step_cut(self):
        self.step_read()
        self.keep()
        self.console.close()
        self.connect()
        self.resume()

    def step_states(self):
        self.world.change_states(self.rng)

    def step_directory(self):
        self.world.change_directory(self.rng)

    def step_feed(self):
        self.world.feed_returns(self.rng)

    def live(self):
        self.connect()
        self.subscribe(self.choose_set())
        for _ in range(self.rng.randint(3, 8)):
            step = self.rng.choices([self.step_replace, self.step_read, self.step_cut, self.step_states,
                                     self.step_directory, self.step_feed], [2, 3, 4, 6, 2, 0.2])[0]
            self.steps.append(step.__name__)
            step()
        self.check()
        self.console.close()

    def check(self):
        console = self.console
        console.wait(lambda: console.synced, "presence.synced")
        self.world.wait_fed()
        members = self.world.members(self.asked)
        def agrees():
            said = console.call("presence.get", users=sorted(members))["presences"]
            console.notifications.clear()
            return console.table == {presence["user"]: presence for presence in said}
        until(agrees, "the table is what presence.get says")
        assert set(console.table) == members


class World:
    """One daemon, its directory and its feed."""

    def __init__(self, start, rng):
        self.users = {}
        self.shuffle_directory(rng, len(USERS))
        self.daemon = start({"monitoring": {"linger": "1h"}}, users=self.rows(),
                            sources=[feed_source("switch", "tapi")])
        self.admin = self.daemon.console(checked=CHECKED)
        self.truth = {user: {} for user in USERS}
        self.feed = self.daemon.feed(truth=self.truth)
        for user in USERS:
            self.change_state(rng, user)

    def rows(self):
        return [{"id": user, "groups": ";".join(groups), "name": f"{user} {len(groups)}"}
                for user, groups in self.users.items()]

    def members(self, params):
        """Who belongs to the set, by the directory."""
        return {user for user, groups in self.users.items()
                if params.get("all") or user in params.get("users", ()) or set(groups) & set(params.get("groups", ()))}

    def shuffle_directory(self, rng, count):
        for user in rng.sample(USERS, count):
            if rng.random() < 0.15:
                self.users.pop(user, None)
            else:
                self.users[user] = rng.sample(GROUPS[:3], rng.randint(0, 2))

    def change_directory(self, rng):
        self.shuffle_directory(rng, rng.randint(1, 6))
        self.daemon.write_users(self.rows())
        reload_by(self.admin, self.rows())

    def change_state(self, rng, user):
        if rng.random() < 0.5:
            self.feed.set(user, telephony=rng.choice([BUSY, IDLE, RINGING, {"line": "offline"}, {"dnd": True}]))
        else:
            self.feed.set(user, rich={"availability": rng.choice(AVAILABILITIES), "note": rng.choice([None, "here"])})

    def change_states(self, rng):
        for _ in range(rng.choice([1, 3, 30])):
            self.change_state(rng, rng.choice(USERS))

    def feed_returns(self, rng):
        self.feed.close()
        until(lambda: self.admin.source()["status"] != "up", "the daemon has seen that the feed is gone")
        self.feed = self.daemon.feed(truth=self.truth)
        if rng.random() < 0.5:
            self.feed.resync()

    def wait_fed(self):
        """The daemon has told the feed all, and read all lines of the feed."""
        def fed():
            details = self.admin.source()["details"]
            return details["lines"] == self.feed.sent and not details["refused"]
        until(fed, "everything that the feed has said was read")


def test_table_of_a_console_is_right_after_a_random_life(start):
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed} RUNS={RUNS}")
    world = World(start, random.Random(seed))
    for run in range(RUNS):
        life = Life(world, random.Random(f"{seed}-{run}"))
        try:
            life.live()
        except (AssertionError, Closed, Deadline) as error:
            raise AssertionError(f"SEED={seed}, run {run}, {life.asked}, {life.steps}: {error}") from error
