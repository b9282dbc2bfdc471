"""A daemon, consoles and feeding programs, as the integration tests use them.

    Feed  --raw states-->  Daemon  --presence-->  Console
          <--watch,verify--        <--requests--

Nothing here sleeps: a wait has a condition and a deadline, and the deadlines are generous.

PRESENCED_BUILD  the folder with presenced (default: build/ of this repository)

SPDX-License-Identifier: MIT
"""

import contextlib
import csv
import io
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque

TESTS = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("PRESENCED_BUILD", TESTS.parent / "build")).resolve()
PROGRAM = BUILD / "presenced"
sys.path[:0] = [str(TESTS), str(TESTS / "schema")]

import validate  # noqa: E402
from waiting import DEADLINE, Deadline, until  # noqa: E402

NOBODY = 65534
EVERYTHING = ("read", "calls", "notes", "admin")


class Closed(AssertionError):
    """The daemon has closed the connection."""


class RpcError(Exception):
    """The daemon answered with an error."""

    def __init__(self, error):
        super().__init__(f"{error['code']} {error['message']} {error.get('data', '')}")
        self.code, self.message, self.data = error["code"], error["message"], error.get("data", {})


@contextlib.contextmanager
def account(uid, groups=()):
    """Sockets that are connected inside belong to this account. Needs root."""
    before = os.getgroups()
    os.setgroups(list(groups))
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def connect(path, uid=None, groups=()):
    """A stream socket connected to `path`, by another account if `uid` is given."""
    end = socket.socket(socket.AF_UNIX)
    end.settimeout(DEADLINE)
    with account(uid, groups) if uid is not None else contextlib.nullcontext():
        end.connect(str(path))
    return end


def feed_source(name, technology="tapi", **options):
    """The configuration of a feed."""
    return {"name": name, "type": "feed", "technology": technology, "socket": f"{name}.feed", "mode": "0666"} | options


def console_socket(name, permissions, **options):
    """The configuration of a console socket that everybody may connect to."""
    return {"socket": f"{name}.sock", "mode": "0666", "permissions": list(permissions)} | options


def people(*ids, **columns):
    """Users with these ids and the same other columns."""
    return [{"id": one} | columns for one in ids]


# ---- the daemon -----------------------------------------------------------------------------


class Daemon:
    """A presenced in a folder of its own. JSON is YAML, so the configuration is a dict."""

    def __init__(self, config=None, users=(), sources=None, environment=None, notify=False, sanitizer="",
                 start=True):
        self.sanitizer = sanitizer  # more options for it
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="presenced-"))
        self.folder.chmod(0o755)
        self.file = self.folder / "presenced.yaml"
        self.log = self.folder / "log"
        self.config = {
            "console": [console_socket("presenced", ["read"])],
            "users": "users.csv",
            "state": "state",
            "sources": [feed_source("switch")] if sources is None else sources,
        } | (config or {})
        self.environment = environment or {}
        self.process = None
        self.ends = []
        self.notify = None
        if notify:  # only who reads it: the daemon waits when it is full
            self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.notify.bind(str(self.folder / "notify"))
            self.environment = self.environment | {"NOTIFY_SOCKET": str(self.folder / "notify")}
        self.write_config()
        self.write_users(users)
        if start:
            self.start()

    def write_config(self, **changes):
        self.config |= changes
        self.file.write_text(json.dumps(self.config, indent=1), encoding="utf-8")

    def write_users(self, users):
        columns = list(dict.fromkeys(["id", *(column for user in users for column in user)]))
        out = io.StringIO()
        writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(users)
        new = self.folder / "users.csv.new"
        new.write_text(out.getvalue(), encoding="utf-8")
        new.rename(self.folder / "users.csv")

    def spawn(self, *arguments):
        """Start the program without waiting for anything."""
        environment = os.environ | {
            "ASAN_OPTIONS": f"log_path={self.folder}/sanitizer:exitcode=99:abort_on_error=0{self.sanitizer}",
            "UBSAN_OPTIONS": f"log_path={self.folder}/sanitizer:print_stacktrace=1",
        } | self.environment
        with open(self.log, "ab") as log:
            return subprocess.Popen([PROGRAM, *arguments], env=environment, stdin=subprocess.DEVNULL,
                                    stdout=log, stderr=log)

    def start(self):
        self.process = self.spawn("-c", str(self.file))
        until(self.listens, f"a presenced at {self.folder}")

    def listens(self):
        """Whether consoles can connect; the process must not have ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"presenced ended with {self.process.returncode}:\n{self.log_text()}")
        try:
            for console in self.config["console"]:
                connect(self.folder / console["socket"]).close()
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def wait_notified(self, word, deadline=DEADLINE):
        """Messages to the service manager up to the one that holds `word`."""
        end = time.monotonic() + deadline
        seen = []
        while not seen or word not in seen[-1].split("\n"):
            ready, _, _ = select.select([self.notify], [], [], 0.2)
            if ready:
                seen.append(self.notify.recv(65536).decode())
            elif self.process.poll() is not None:
                raise AssertionError(f"presenced ended with {self.process.returncode}:\n{self.log_text()}")
            elif time.monotonic() > end:
                raise Deadline(f"{word} was not notified, only {seen}")
        return seen

    def console(self, name="presenced", **options):
        console = Console(self.folder / f"{name}.sock", **options)
        self.ends.append(console)
        return console

    def console_refused(self, name="presenced", **options):
        """The error of a connection that is answered with one line and closed."""
        with self.socket(f"{name}.sock", **options).makefile(encoding="utf-8") as lines:
            answer = json.loads(lines.readline())
            assert lines.read() == ""
        assert answer["id"] is None
        validate.validate_error(answer["error"])
        return answer["error"]

    def feed(self, name="switch", **options):
        feed = Feed(self.folder / f"{name}.feed", **options)
        self.ends.append(feed)
        return feed

    def socket(self, name="presenced.sock", **options):
        end = connect(self.folder / name, **options)
        self.ends.append(end)
        return end

    def reload(self, users=None, force=True, **changes):
        """Write what is given, and have it read again by a console, until the directory is as written."""
        if users is not None:
            self.write_users(users)
        self.write_config(**changes)
        with contextlib.closing(Console(self.folder / "presenced.sock")) as admin:
            return reload_by(admin, users, force)

    def check_config(self):
        """Exit status and output of --check-config."""
        done = subprocess.run([PROGRAM, "--check-config", str(self.file)], capture_output=True, text=True,
                              timeout=DEADLINE, check=False)
        return done.returncode, done.stdout + done.stderr

    def log_text(self):
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def sanitizer_report(self):
        return "".join(file.read_text(errors="replace") for file in self.folder.glob("sanitizer.*"))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE)

    def stop(self):
        """SIGTERM; it must end well, and the sanitizers must have nothing to say."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Deadline("presenced did not end at SIGTERM") from None
            assert self.sanitizer_report() == "", self.sanitizer_report()
            assert self.process.returncode == 0, f"exit {self.process.returncode}:\n{self.log_text()}"
            self.process = None

    def remove(self):
        """The end of a test: close everything, and delete the folder."""
        try:
            for end in self.ends:
                end.close()
            self.stop()
        finally:
            if self.process is not None and self.process.poll() is None:
                self.kill()
            if self.notify is not None:
                self.notify.close()
            shutil.rmtree(self.folder, ignore_errors=True)


def reload_by(admin, users=None, force=True):
    """config.reload by this console, again if the one before is not over, and until these users are the directory."""

    def accepted():
        try:
            return admin.call("config.reload", force=force)
        except RpcError as error:
            if error.code == -32004 or "under way" in str(error):
                return None
            raise

    def applied():
        listed, after = [], ""
        while after is not None:
            page = admin.call("users.list", after=after, limit=1000)
            listed += [(user["id"], user.get("name", ""), user["groups"]) for user in page["users"]]
            after = page["next"]
        return listed == wanted

    result = until(accepted, "the reload is accepted")
    if users is not None:
        wanted = sorted(((user["id"], user.get("name", ""), [group for group in user.get("groups", "").split(";") if group])
                         for user in users), key=lambda user: user[0].encode())
        until(applied, f"the users are {wanted[:50]}")
    return result


# ---- a console ------------------------------------------------------------------------------


class Console:
    """A client that believes nothing: every answer and notification is held against its schema.

    `table` is what a console shows: the presence of each user, kept as presenced-protocol(7) says.
    `checked` is the part of all messages that is validated; less than 1 only where there are very many.
    """

    def __init__(self, path, uid=None, groups=(), checked=1.0, keep_bytes=False):
        self.socket = connect(path, uid, groups)
        self.checked = checked
        self.transcript = bytearray() if keep_bytes else None
        self.buffer = bytearray()
        self.notifications = deque()
        self.methods = {}  # id of what is asked -> method
        self.last_id = 0
        self.table = {}
        self.instance = self.position = None
        self.seq = 0
        self.synced = False
        self.permissions = EVERYTHING
        self.permissions = self.call("server.info")["permissions"]

    def close(self):
        self.socket.close()

    # -- bytes

    def send_bytes(self, data):
        self.socket.sendall(data)

    def read_some(self, deadline, limit=65536):
        """One read. False: the daemon has closed."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise Deadline("no line from the daemon")
        self.socket.settimeout(left)
        try:
            data = self.socket.recv(limit)
        except TimeoutError:
            raise Deadline("no line from the daemon") from None
        except ConnectionResetError:
            data = b""
        if self.transcript is not None:
            self.transcript += data
        self.buffer += data
        return data != b""

    def take_message(self):
        """The next message of those that were read, applied to the table; None if there is none."""
        end = self.buffer.find(b"\n")
        if end < 0:
            return None
        message = json.loads(self.buffer[:end].decode("utf-8"))
        del self.buffer[: end + 1]
        assert message["jsonrpc"] == "2.0"
        if "id" in message:
            self.check_answer(message)
        else:
            if self.is_checked():
                validate.validate_notification(message["method"], message["params"], self.permissions)
            self.apply(message["method"], message["params"])
        return message

    def next_message(self, deadline=DEADLINE):
        """The next answer or notification."""
        end = time.monotonic() + deadline
        while (message := self.take_message()) is None:
            if not self.read_some(end):
                raise Closed(f"the daemon has closed; left: {bytes(self.buffer)!r}")
        return message

    def is_checked(self):
        return self.checked >= 1 or random.random() < self.checked

    def check_answer(self, message):
        method = self.methods.pop(message["id"], None)
        assert set(message) == {"jsonrpc", "id", "error" if "error" in message else "result"}, message
        if "error" in message:
            validate.validate_error(message["error"])
        elif method is not None and self.is_checked():
            validate.validate_result(method, message["result"], self.permissions)

    # -- requests

    def request(self, method, **params):
        """Ask, and return the id without waiting for the answer."""
        self.last_id += 1
        self.methods[self.last_id] = method
        line = {"jsonrpc": "2.0", "id": self.last_id, "method": method} | ({"params": params} if params else {})
        self.send_bytes(json.dumps(line).encode() + b"\n")
        return self.last_id

    def answer(self, request, deadline=DEADLINE):
        """The result of a request; notifications before it are kept."""
        while True:
            message = self.next_message(deadline)
            if "id" not in message:
                self.notifications.append(message)
                continue
            assert message["id"] == request, f"answers out of order: {message}"
            if "error" in message:
                raise RpcError(message["error"])
            return message["result"]

    def call(self, method, **params):
        return self.answer(self.request(method, **params))

    def error_of(self, method, **params):
        """The error that this request must be answered with."""
        try:
            result = self.call(method, **params)
        except RpcError as error:
            return error
        raise AssertionError(f"{method} {params} was answered with {result}")

    # -- presence

    def apply(self, method, params):
        """Keep the table, as a console must."""
        if method not in ("presence.changed", "presence.removed", "presence.synced"):
            return
        if method == "presence.synced":
            assert params["seq"] >= self.seq, f"synced goes back from {self.seq} to {params['seq']}"
            self.synced = True
        else:
            assert params["seq"] > self.seq, f"{method} goes back from {self.seq}: {params}"
        self.seq = params["seq"]
        if self.synced:
            self.position = self.seq
        if method == "presence.changed":
            self.table[params["user"]] = params
        elif method == "presence.removed":
            self.table.pop(params["user"], None)

    def start_subscribe(self, **params):
        request = self.request("presence.subscribe", **params)
        result = self.answer(request)
        self.seq = params["since"]["seq"] if result["resumed"] else 0
        self.synced = False
        self.instance = result["instance"]
        if "since" in params and not result["resumed"]:
            self.table.clear()
        return result

    def subscribe(self, **params):
        """Subscribe, and read until the table is complete."""
        result = self.start_subscribe(**params)
        self.wait(lambda: self.synced, "presence.synced")
        return result

    def wait(self, condition, what, deadline=DEADLINE):
        """Read until `condition()` holds."""
        end = time.monotonic() + deadline
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                raise Deadline(f"not within {deadline} s: {what}; the table is {self.table}")
            try:
                message = self.next_message(left)
            except Deadline:
                raise Deadline(f"not within {deadline} s: {what}; the table is {self.table}") from None
            assert "id" not in message, message
            self.notifications.append(message)

    def notification(self, method, deadline=DEADLINE):
        """The parameters of the next notification of this name; others are dropped."""
        end = time.monotonic() + deadline
        while True:
            message = self.notifications.popleft() if self.notifications else self.next_message(end - time.monotonic())
            assert "id" not in message, message
            if message["method"] == method:
                return message["params"]

    def barrier(self):
        """Everything that the daemon has done so far was read."""
        self.call("server.info")
        self.call("server.info")

    def presence(self, user):
        """presence.get of one user."""
        return self.call("presence.get", users=[user])["presences"][0]

    def wait_overall(self, user, overall, deadline=DEADLINE):
        self.wait(lambda: self.table.get(user, {}).get("overall") == overall, f"{user} {overall}", deadline)
        return self.table[user]

    def source(self, name="switch"):
        return next(source for source in self.call("sources.list")["sources"] if source["name"] == name)


# ---- a feeding program ----------------------------------------------------------------------


class Feed:
    """The peer of a feed.

    It knows the truth, address -> {domain: facts}, says it when it is told to watch or verify, and misbehaves when
    told to: `answers` (to watch and verify), `silent` (drops changes).
    """

    def __init__(self, path, truth=None, answers=True):
        self.socket = connect(path)
        self.socket.settimeout(None)
        self.truth = {} if truth is None else truth
        self.answers, self.silent = answers, False
        self.sent = 0
        self.lines, self.errors, self.watched = [], [], set()
        self.gone = False
        self.changed = threading.Condition(threading.RLock())
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(DEADLINE)
        self.socket.close()

    def read(self):
        with self.socket.makefile(encoding="utf-8") as lines, contextlib.suppress(OSError):
            for line in lines:
                self.take(json.loads(line))
        with self.changed:
            self.gone = True
            self.changed.notify_all()

    def take(self, line):
        with self.changed:
            self.lines.append(line)
            if "error" in line:
                self.errors.append(line)
            elif "unwatch" in line:
                self.watched.discard(line["unwatch"])
            else:
                address = line.get("watch", line.get("verify"))
                if "watch" in line:
                    self.watched.add(address)
                if self.answers:
                    self.say_truth(address)
            self.changed.notify_all()

    def send_bytes(self, data):
        with self.changed:
            self.sent += data.count(b"\n")
            self.socket.sendall(data)

    def say(self, *lines):
        self.send_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    def say_truth(self, address):
        self.say(*({"address": address, "domain": domain} | facts
                   for domain, facts in self.truth.get(address, {}).items()))

    def set(self, address, **domains):
        """The truth changes: telephony={..}, rich={..}."""
        with self.changed:
            self.truth.setdefault(address, {}).update(domains)
            if not self.silent and address in self.watched:
                self.say(*({"address": address, "domain": domain} | facts for domain, facts in domains.items()))

    def resync(self):
        with self.changed:
            self.say({"resync": "begin"})
            for address in sorted(self.watched):
                self.say_truth(address)
            self.say({"resync": "end"})

    def wait(self, condition, what, deadline=DEADLINE):
        with self.changed:
            if not self.changed.wait_for(condition, deadline):
                raise Deadline(f"not within {deadline} s: {what}; the daemon told {self.lines[-20:]}")

    def wait_watched(self, *addresses):
        self.wait(lambda: set(addresses) <= self.watched, f"watch of {addresses}")

    def wait_errors(self, count):
        self.wait(lambda: len(self.errors) >= count, f"{count} errors")
        return self.errors

    def was_told(self, key, address):
        with self.changed:
            return sum(line.get(key) == address for line in self.lines)


BUSY = {"line": "busy", "dnd": False, "forward": None, "calls": [{"state": "connected"}]}
IDLE = {"line": "idle", "dnd": False, "forward": None, "calls": []}
RINGING = {"line": "ringing", "dnd": False, "forward": None, "calls": [{"state": "ringing", "direction": "in"}]}
