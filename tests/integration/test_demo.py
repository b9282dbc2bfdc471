"""make demo and README.md: what a newcomer tries first works, and leaves nothing behind. SPDX-License-Identifier: MIT"""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import uuid

import pytest

from presenced import BUILD, TESTS, people

DEMO = TESTS / "demo" / "run-demo"
README = (TESTS.parent / "README.md").read_text(encoding="utf-8")
PEOPLE = "anna ben carla david emma farid grace hugo ivan julia kofi walter".split()


class Run:
    """A demo that is running. Whatever it starts carries a mark in its environment."""

    def __init__(self, stdout=subprocess.PIPE, **environment):
        self.mark = f"DEMO_TEST_MARK={uuid.uuid4()}"
        name, value = self.mark.split("=")
        self.process = subprocess.Popen([DEMO, BUILD], stdin=subprocess.DEVNULL, stdout=stdout, bufsize=0,
                                        stderr=subprocess.PIPE, env=os.environ | {name: value} | environment)

    def marked(self):
        """Process id -> command line of all that it started, itself included."""
        found = {}
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self.mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

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

    def assert_nothing_is_left(self, output):
        assert self.marked() == {}
        folder = pathlib.Path(re.search(r"-s (/\S+)/presenced\.sock", output).group(1))
        assert not folder.exists()


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


def test_demo_ends_by_itself_with_everybody_listed_and_one_explained(demo):
    run = demo(DEMO_SECONDS="3")

    status, out, err = run.wait_end()

    assert (status, err) == (0, "")
    final = re.search(r"^\$ \S+ -s \S+ list\n(.*?)\n\n\$ \S+ -s \S+ explain anna\n", out, re.M | re.S).group(1)
    assert [line.split()[0] for line in final.splitlines()] == ["USER", *PEOPLE]
    assert "(sip)" in final and "(tapi)" in final
    assert "How it was decided:" in out
    assert re.search(r"a console, process \d+ of account \d+", out)  # the demo's own demand
    run.assert_nothing_is_left(out)


def test_demo_cuts_the_switch_and_its_lamps_come_back(demo):
    run = demo(DEMO_SECONDS="5")

    _, out, _ = run.wait_end()

    before, _, rest = out.partition("-- the connection of switch is cut")
    during, _, after = rest.partition("-- switch is back")
    assert "stale" not in before and "presenced tells switch: watch 2012" in before
    assert "stale" in during
    assert "stale" not in after[after.index(" list\n"):]
    assert "error" not in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_ends_well_when_told_to(demo, number):
    run = demo()
    out = run.wait_line("(tapi)\n")
    assert {pathlib.Path(command.split()[0]).name for command in run.marked().values()} >= {"presenced", "presencectl"}

    run.process.send_signal(number)

    status, _, err = run.wait_end()
    assert (status, err) == (0, "")
    run.assert_nothing_is_left(out)


def test_demo_ends_when_who_looks_has_gone(demo):
    run = demo()
    out = run.wait_line("(tapi)\n")

    run.process.stdout.close()

    assert run.process.wait(60) == 0
    run.assert_nothing_is_left(out)


def test_demo_says_so_when_presenced_dies(demo):
    run = demo()
    out = run.wait_line("(tapi)\n")

    os.kill(next(pid for pid, command in run.marked().items() if command.startswith(f"{BUILD}/presenced ")), 9)

    status, _, err = run.wait_end()
    assert status == 1
    assert "presenced ended with -9" in err and "The end of the log" in err and "started" in err
    run.assert_nothing_is_left(out)


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
