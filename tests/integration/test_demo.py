"""make demo and README.md: what a newcomer tries first works, and leaves nothing behind.

SPDX-License-Identifier: MIT
"""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
import uuid

import pytest

from presenced import BUILD, TESTS, people, until

DEMO = TESTS / "demo" / "run-demo"
README = (TESTS.parent / "README.md").read_text(encoding="utf-8")
PEOPLE = "anna ben carla david emma farid grace hugo ivan julia kofi walter".split()
ONLY_SIP = "farid grace ivan julia kofi".split()  # the switch does not know their lines


class Run:
    """A demo that is running. Whatever it starts carries a mark in its environment, and has one temporary folder."""

    def __init__(self, stdout=subprocess.PIPE, **environment):
        self.mark = f"DEMO_TEST_MARK={uuid.uuid4()}"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="demo-test-"))
        environment |= dict([self.mark.split("=")], TMPDIR=str(self.folder))
        self.process = subprocess.Popen([DEMO, BUILD], stdin=subprocess.DEVNULL, stdout=stdout, bufsize=0,
                                        stderr=subprocess.PIPE, env=os.environ | environment)

    def marked(self):
        """Process id -> command line of all that it started, itself included."""
        found = {}
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if command and self.mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = command
        return found

    def programs(self):
        return {pathlib.Path(command.split()[0]).name for command in self.marked().values()}

    def wait_line(self, text):
        """All lines up to the one that has `text` in it."""
        lines = []
        while not lines or text not in lines[-1]:
            ready, _, _ = select.select([self.process.stdout], [], [], 60)
            assert ready, f"no {text!r} in {lines}"
            line = self.process.stdout.readline().decode()
            assert line, f"no {text!r} in {lines}, {self.process.stderr.read().decode()}"
            lines.append(line)
        return "".join(lines)

    def wait_end(self):
        """(exit status, the rest of standard output, standard error)"""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, (out or b"").decode(), err.decode()

    def assert_nothing_is_left(self):
        assert self.marked() == {}
        assert list(self.folder.iterdir()) == []


@pytest.fixture
def demo():
    """demo(stdout, DEMO_SECONDS=..) gives a Run; what it left behind is ended after a failure."""
    runs = []

    def run(*arguments, **environment):
        runs.append(Run(*arguments, **environment))
        return runs[-1]

    yield run
    for one in runs:
        for pid in one.marked():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        one.process.wait()
        for pipe in (one.process.stdout, one.process.stderr):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(one.folder)


def table(text):
    """User -> (what decides the person, what decides the line) of what presencectl list prints."""
    titles, *rows = text.splitlines()
    starts = [titles.index(word) for word in titles.split()]
    return {row.split()[0]: (row[starts[-2]:starts[-1]].strip(), row[starts[-1]:].strip()) for row in rows}


def assert_right_systems(rows):
    """Of everybody who is watched; walter is only at times."""
    assert list(rows) == PEOPLE
    for user, (rich, telephony) in rows.items():
        if user != "walter":
            assert rich.endswith("(sip)") and not rich.startswith("stale"), (user, rich)
            assert telephony.startswith("line "), (user, telephony)
            assert telephony.endswith("(sip)" if user in ONLY_SIP else "(tapi)"), (user, telephony)


def test_two_demos_at_a_time_end_by_themselves_with_everybody_listed_and_one_explained(demo):
    for run in [demo(DEMO_SECONDS="3"), demo(DEMO_SECONDS="3")]:
        status, out, err = run.wait_end()

        assert (status, err) == (0, "")
        final = re.search(r"^\$ \S+ -s \S+ list\n(.*?)\n\n\$ \S+ -s \S+ explain anna\n", out, re.M | re.S).group(1)
        assert_right_systems(table(final))
        assert "How it was decided:" in out
        assert re.search(r"line +cups +lost .*\n +line +switch +decided", out)
        assert re.search(r"a console, process \d+ of account \d+", out)  # the demo's own demand
        run.assert_nothing_is_left()


def test_demo_cuts_the_switch_and_its_lamps_come_back(demo):
    run = demo(DEMO_SECONDS="5")

    _, out, _ = run.wait_end()

    before, _, rest = out.partition("-- the connection of switch is cut")
    during, _, after = rest.partition("-- switch is back")
    assert "stale" not in before and "presenced tells switch: watch 2012" in before
    assert "stale" in during
    assert "stale" not in after[after.index(" list\n"):]
    assert "error" not in out


def test_demo_kills_kamailio_and_its_lamps_come_back(demo):
    run = demo()
    before = run.wait_line("-- Kamailio is killed")
    during = run.wait_line("-- Kamailio is started again")
    run.wait_line("-- cups is back")
    socket = re.search(r"-s (/\S+/presenced\.sock)", before).group(1)

    listed = subprocess.run([BUILD / "presencectl", "-s", socket, "list"], capture_output=True, text=True, check=True)

    assert "stale" not in before.rpartition("\n-- ")[0]
    assert re.search(r"anna .* stale, .* \(sip\) +line .* \(tapi\)\n", during)
    assert re.search(r"kofi .* stale, .* \(sip\) +stale, line .* \(sip\)\n", during)
    assert_right_systems(table(listed.stdout))
    run.process.send_signal(signal.SIGINT)
    status, _, err = run.wait_end()
    assert (status, err) == (0, "")
    run.assert_nothing_is_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_ends_well_when_told_to(demo, number):
    run = demo()
    run.wait_line("(tapi)\n")
    assert run.programs() >= {"presenced", "presencectl", "kamailio"}

    run.process.send_signal(number)

    status, _, err = run.wait_end()
    assert (status, err) == (0, "")
    run.assert_nothing_is_left()


def program(folder, text):
    """A shell script in place of Kamailio."""
    path = folder / "kamailio"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_ends_well_while_kamailio_is_being_started(demo, tmp_path, number):
    run = demo(KAMAILIO=program(tmp_path, "exec sleep 1000"))
    until(lambda: "sleep" in run.programs(), "it is being started")

    run.process.send_signal(number)

    status, _, err = run.wait_end()
    assert (status, err) == (0, "")
    run.assert_nothing_is_left()


@pytest.mark.parametrize("text, sentence", [("echo the reason; exit 7", "Kamailio ended with 7"),
                                            (None, "Kamailio cannot be started: ")])
def test_demo_says_so_when_kamailio_cannot_start(demo, tmp_path, text, sentence):
    run = demo(KAMAILIO=program(tmp_path, text) if text else "/nowhere/kamailio")

    status, _, err = run.wait_end()

    assert status == 1
    assert sentence in err and "Traceback" not in err
    assert not text or "The end of the log of Kamailio:\nthe reason\n" in err
    run.assert_nothing_is_left()


def test_demo_says_so_when_kamailio_dies(demo):
    run = demo()
    run.wait_line("(tapi)\n")

    for pid, command in run.marked().items():
        if "/kamailio" in command.split()[0]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    status, _, err = run.wait_end()
    assert status == 1
    assert "Kamailio ended with -9" in err and "Traceback" not in err
    run.assert_nothing_is_left()


def test_demo_ends_when_who_looks_has_gone(demo):
    run = demo()
    run.wait_line("(tapi)\n")

    run.process.stdout.close()

    assert run.process.wait(60) == 0
    run.assert_nothing_is_left()


def test_demo_says_so_when_presenced_dies(demo):
    run = demo()
    run.wait_line("(tapi)\n")

    os.kill(next(pid for pid, command in run.marked().items() if command.startswith(f"{BUILD}/presenced ")), 9)

    status, _, err = run.wait_end()
    assert status == 1
    assert "presenced ended with -9" in err and "The end of the log" in err and "started" in err
    run.assert_nothing_is_left()


def test_demo_says_how_it_is_used():
    assert subprocess.run([DEMO], capture_output=True, check=False).returncode == 2
    assert subprocess.run([DEMO, "/nowhere"], capture_output=True, check=False).returncode == 2


# ---- on a terminal --------------------------------------------------------------------------


def on_a_terminal(demo, columns, **environment):
    """What the demo draws in two seconds on a terminal of 30 lines."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    run = demo(terminal, DEMO_SECONDS="2", TERM="xterm", COLUMNS="", LINES="", **environment)
    os.close(terminal)
    drawn, end = b"", time.monotonic() + 60
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        while time.monotonic() < end and (data := os.read(master, 65536)):
            drawn += data
    os.close(master)
    assert run.wait_end()[0] == 0
    return drawn.decode()


@pytest.mark.parametrize("columns", [60, 80, 150])
def test_demo_redraws_a_table_as_wide_as_the_terminal(demo, columns):
    pictures = on_a_terminal(demo, columns, NO_COLOR="1").split("\033[H")[2:-1]

    assert len(pictures) > 3
    for picture in pictures:
        lines = picture.replace("\033[K", "").replace("\033[J", "").splitlines()
        assert "\033" not in "".join(lines)
        assert len(lines) < 30 and max(map(len, lines)) <= columns
        assert [line[2:].split()[0] for line in lines[6:19]] == ["USER", *PEOPLE]


def test_demo_is_colourful_where_that_is_wanted(demo):
    assert "\033[31m  busy\033[0m" in on_a_terminal(demo, 150, NO_COLOR="")


# ---- README.md ------------------------------------------------------------------------------


def blocks(language=""):
    """The code blocks of README.md of one language ("": of all)."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if language in ("", name)]


def test_every_make_target_in_the_readme_exists():
    makefile = (TESTS.parent / "Makefile").read_text(encoding="utf-8")
    targets = {word for rule in re.findall(r"^([\w -]+):(?!=)", makefile, re.MULTILINE) for word in rule.split()}
    named = {word for block in blocks("sh") for line in block.splitlines()
             for command in re.findall(r"\bmake ([^#|;&]*)", line)
             for word in command.split() if "=" not in word and not word.startswith("-")}

    assert {"demo", "check", "install"} <= named
    assert named <= targets, named - targets


def test_every_presencectl_command_in_the_readme_exists():
    text = subprocess.run([BUILD / "presencectl", "help"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"^  ([a-z]+) ?", text, re.MULTILINE))
    named = {command for block in blocks()
             for command in re.findall(r"(?:^|[$/ ])presencectl (?:-s \S+ |--json )*([a-z]+)\b", block, re.MULTILINE)}

    assert {"list", "explain"} <= named
    assert named <= known, named - known


def test_the_first_configuration_in_the_readme_is_good(start):
    daemon = start(start=False)
    for block, name in ((blocks("yaml")[0], "presenced.yaml"), (blocks("csv")[0], "users.csv")):
        (daemon.folder / name).write_text(block.replace("/etc/presenced", str(daemon.folder)), encoding="utf-8")

    status, text = daemon.check_config()

    assert status == 0, text
    assert "warning" not in text


def test_what_the_readme_asks_over_the_socket_is_answered(start):
    asked = json.loads(re.search(r"echo '(\{.*\})'", README).group(1))
    console = start(users=people(*asked["params"]["users"])).console()

    answer = console.call(asked["method"], **asked["params"])

    assert [presence["user"] for presence in answer["presences"]] == asked["params"]["users"]
