"""What a worker of kill_world.py may ask for, and what must be there afterwards. Knows nothing of processes.

SPDX-License-Identifier: MIT
"""

import copy

from store_world import fields, now_ms, timestamp

NOTHING = {"name": "", "groups": [], "addresses": {}}
COLUMNS = ["extension", "sip_uri", "xmpp", "broadworks", "line", "upn", "webex", "voicemail", "line@switch", "upn@other"]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789ÄöüßéŁ日本🙂-_.'\"\\/<&,"
IDS_EACH = 30
IN_FILE_EACH = 4
IMPORT_MOST = 40


class State:
    """Users of one worker and their notes. A note whose `at` is None may have any."""

    def __init__(self, in_file):
        self.in_file = in_file  # key -> row of the file
        self.users = {key: {"hand": None, "file": key} for key in in_file}
        self.notes = {}

    def copy(self):
        other = State(self.in_file)
        other.users, other.notes = copy.deepcopy(self.users), copy.deepcopy(self.notes)
        return other

    def of_file(self, key):
        row = self.in_file[key]
        addresses = {column: value for column, value in row.items() if column not in ("id", "name", "groups")}
        return {"name": row["name"], "groups": row["groups"].split(";"), "addresses": addresses}

    def merged(self, user):
        entry = self.users[user]
        hand = entry["hand"] or NOTHING
        file = self.of_file(entry["file"]) if entry["file"] else NOTHING
        return {"name": hand["name"] or file["name"], "groups": hand["groups"] or file["groups"],
                "addresses": file["addresses"] | hand["addresses"]}

    def rows(self):
        return {user: {"merged": self.merged(user), "note": self.notes.get(user)} | entry
                for user, entry in self.users.items()}

    def matches(self, found):
        return self.filled(found).rows() == found

    def filled(self, found):
        """The same, with the times of notes as they were found."""
        other = self.copy()
        for user, note in other.notes.items():
            if note["at"] is None and found.get(user, {}).get("note"):
                note["at"] = found[user]["note"]["at"]
        return other


class Operation:
    """Requests that together are one change, and the state after it."""

    def __init__(self, requests, after, check, user=None):
        self.requests, self.after, self.user = requests, after, user
        self.check_result = check

    def check(self, result):
        assert self.check_result(result), f"{self.requests} was answered with {result}"

    def acknowledged(self, result):
        """The state after the answer, which tells the time of a note."""
        if "note" in result:
            self.after.notes[self.user] = result["note"]
        return self.after


class Operations:
    """Random operations on the ids of one worker."""

    def __init__(self, number, rng):
        self.rng = rng
        self.prefix = f"w{number}-"
        self.ids = [f"{self.prefix}{n}{self.word(6)}" for n in range(IDS_EACH)]
        keys = [f"{self.prefix}f{n}" for n in range(IN_FILE_EACH)]
        self.in_file = {key: {"id": key, "name": f"File {key}", "groups": f"staff;{self.prefix}",
                              "upn": f"{key}@example.test"} for key in keys}
        self.ids += keys

    def owns(self, user):
        return user.startswith(self.prefix)

    # -- random data

    def word(self, most):
        return "".join(self.rng.choices(LETTERS, k=self.rng.randint(1, most)))

    def text(self, most):
        """Words between single blanks."""
        return " ".join(self.word(12) for _ in range(self.rng.randint(1, most)))

    def groups(self):
        return sorted({self.text(2) for _ in range(self.rng.randint(1, 5))}, key=lambda _: self.rng.random())

    def addresses(self):
        return {column: self.word(30) for column in self.rng.sample(COLUMNS, self.rng.randint(1, 5))}

    def entry(self):
        """All that is set by hand. There always is a name."""
        said = {"name": self.text(4)}
        if self.rng.random() < 0.5:
            said["groups"] = self.groups()
        if self.rng.random() < 0.7:
            said["addresses"] = self.addresses()
        return said

    # -- operations

    def choose(self, state):
        kinds = [self.note, self.note, self.clear, self.set, self.set, self.set, self.remove, self.rename, self.import_]
        while True:
            operation = self.rng.choice(kinds)(state.copy())
            if operation is not None:
                return operation

    def note(self, after):
        user = self.rng.choice(list(after.users))
        said = {"text": self.text(60).encode()[:1024].decode(errors="ignore").rstrip()}
        if self.rng.random() < 0.5:
            said["until"] = timestamp(now_ms() + self.rng.randint(10, 1000) * 3_600_000)
        said["author"] = self.text(3)
        note = {"text": said["text"], "author": said["author"], "at": None, "until": said.get("until")}
        after.notes[user] = note
        return Operation([("notes.set", {"user": user} | said)], after,
                         lambda result: result["note"] | {"at": None} == note, user)

    def clear(self, after):
        user = self.rng.choice(list(after.users))
        was = after.notes.pop(user, None) is not None
        return Operation([("notes.clear", {"user": user})], after, lambda result: result == {"cleared": was})

    def set(self, after):
        user = self.rng.choice(self.ids)
        entry = after.users.setdefault(user, {"hand": None, "file": None})
        said = self.entry()
        if entry["hand"] is not None and self.rng.random() < 0.5:
            del said["name"]
            if entry["hand"]["groups"] and self.rng.random() < 0.3:
                said["groups"] = None
            if entry["hand"]["addresses"] and self.rng.random() < 0.5:
                said["addresses"] = said.get("addresses", {}) | {self.rng.choice(list(entry["hand"]["addresses"])): None}
        hand = entry["hand"] or copy.deepcopy(NOTHING)
        hand["name"] = said.get("name", hand["name"])
        hand["groups"] = said.get("groups", hand["groups"]) or []
        addresses = hand["addresses"] | said.get("addresses", {})
        hand["addresses"] = {column: value for column, value in addresses.items() if value is not None}
        entry["hand"] = hand
        merged = after.merged(user)
        return Operation([("users.set", {"user": user} | said)], after, lambda result: fields(result["user"]) == merged)

    def remove(self, after):
        users = [user for user, entry in after.users.items() if entry["hand"] and user not in after.notes]
        if not users:
            return None
        user = self.rng.choice(users)
        entry = after.users[user]
        entry["hand"] = None
        left = ["file"] if entry["file"] else []
        if not left:
            del after.users[user]
        return Operation([("users.remove", {"user": user})], after,
                         lambda result: result == {"removed": not left, "origins": left})

    def rename(self, after):
        free = [one for one in self.ids if one not in after.users]
        if not free:
            return None
        user, to = self.rng.choice(list(after.users)), self.rng.choice(free)
        after.users[to] = after.users.pop(user)
        if user in after.notes:
            after.notes[to] = after.notes.pop(user)
        merged = after.merged(to)
        return Operation([("users.rename", {"user": user, "to": to})], after,
                         lambda result: fields(result["user"]) == merged)

    def import_(self, after):
        """In one to three lines; all of it happens, or nothing."""
        chosen = self.rng.sample(self.ids, self.rng.randint(1, min(IMPORT_MOST, len(self.ids))))
        users = [{"id": one} | self.entry() for one in chosen]
        added = sum(one not in after.users for one in chosen)
        for user in users:
            after.users.setdefault(user["id"], {"hand": None, "file": None})["hand"] = fields(user)
        cuts = sorted(self.rng.randint(0, len(users)) for _ in range(self.rng.randint(0, 2)))
        parts = [users[a:b] for a, b in zip([0, *cuts], [*cuts, len(users)])]
        requests = [("users.import", {"users": part, "more": True}) for part in parts[:-1]]
        return Operation([*requests, ("users.import", {"users": parts[-1]})], after,
                         lambda result: (result["added"], sum(result.values())) == (added, len(users)))
