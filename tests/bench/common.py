"""What the parts of the bench share: the daemon and programs they start, their figures, the lines of the report.

SPDX-License-Identifier: MIT
"""
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get('BUILD', 'build')
PATIENCE_S = 60
TICK = os.sysconf('SC_CLK_TCK')
SUBSCRIBE = {'jsonrpc': '2.0', 'id': 1, 'method': 'presence.subscribe',
             'params': {'all': True, 'demand': False}}
CALL = {'state': 'connected', 'direction': 'in', 'peer': '+442070846845', 'name': 'A. Caller'}


# --- the world ---------------------------------------------------------------------------------------------------

def users_csv(numbers):
    return 'id,name,groups,extension\n' + ''.join(
        f'u{i:06},Person Number {i},floor{i // 50};all,{i:06}\n' for i in numbers)


def raw_line(user, busy):
    return json.dumps({'address': user, 'domain': 'telephony', 'line': 'busy' if busy else 'idle',
                       'calls': [CALL] if busy else []}, separators=(',', ':'))


def write_circle(path, count):
    """Everybody becomes busy, then idle: each line is a change."""
    path.write_text(''.join(f'{raw_line(f"u{i:06}", busy)}\n' for busy in (True, False) for i in range(count)))


# --- processes and their figures ---------------------------------------------------------------------------------

def cpu_seconds(pid):
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss_bytes(pid):
    return int(Path(f'/proc/{pid}/statm').read_text().split()[1]) * os.sysconf('SC_PAGESIZE')


def end(process):
    if process.poll() is None:
        process.terminate()
        process.wait(PATIENCE_S)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


@contextlib.contextmanager
def program(name, *args):
    """A program of the bench, spoken to by lines."""
    process = subprocess.Popen([BUILD / 'bench' / name, *map(str, args)], text=True, bufsize=1,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        end(process)


def answer(process, command=None):
    if command is not None:
        process.stdin.write(command + '\n')
    line = process.stdout.readline()
    if line == '':
        sys.exit(f'{process.args[0]} has ended')
    return json.loads(line) if line.startswith('{') else line.strip()


def in_front():
    """What starts a program that the load of others does not hold up; only root may."""
    return ['chrt', '-f', '5'] if os.geteuid() == 0 and shutil.which('chrt') else []


class Daemon:
    """presenced, its log, and a console that asks it things. `prefix` starts it; `settings` go to the configuration."""

    def __init__(self, folder, users, source=None, prefix=(), **settings):
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.feed, self.socket = self.folder / 'feed', self.folder / 'console'
        self.prefix, self.settings = prefix, settings
        (self.folder / 'users.csv').write_text(users)
        self.configure(source or {'name': 'lab', 'type': 'feed', 'technology': 'tapi', 'socket': str(self.feed)})
        self.start()

    def start(self):
        self.lines, self.news = [], threading.Condition()
        self.began = time.monotonic()
        self.process = subprocess.Popen([*self.prefix, BUILD / 'presenced', '-c', self.folder / 'presenced.yaml'],
                                        text=True, stderr=subprocess.PIPE)
        self.pid = self.process.pid
        self.thread = threading.Thread(target=self.read_log)
        self.thread.start()
        self.wait_log('daemon started')
        self.ready_s = time.monotonic() - self.began
        self.console = socket.socket(socket.AF_UNIX)
        self.console.connect(str(self.socket))
        self.answers = self.console.makefile()

    def configure(self, source):
        """Write the configuration; JSON is YAML, too."""
        (self.folder / 'presenced.yaml').write_text(json.dumps({
            'users': str(self.folder / 'users.csv'), 'monitoring': {'mode': 'always'},
            'state': str(self.folder / 'state'), 'console': [{'socket': str(self.socket)}], 'sources': [source],
            'log': {'level': 'debug'}} | self.settings))

    def read_log(self):
        for line in self.process.stderr:
            with self.news:
                self.lines.append(line)
                self.news.notify_all()

    def wait_log(self, text, since=0):
        """Wait for a line of the log that holds the text."""
        with self.news:
            found = self.news.wait_for(
                lambda: self.process.poll() is not None or any(text in line for line in self.lines[since:]),
                PATIENCE_S)
        if not found or self.process.poll() is not None:
            sys.exit(f'presenced did not say "{text}":\n' + ''.join(self.lines[-20:]))

    def ask(self, method, **params):
        """The whole answer, and the seconds until it was there."""
        request = json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': params}).encode() + b'\n'
        began = time.monotonic()
        self.console.sendall(request)
        line = self.answers.readline()
        return json.loads(line), time.monotonic() - began

    def call(self, method, **params):
        reply, _ = self.ask(method, **params)
        if 'result' not in reply:
            sys.exit(f'{method}: {reply}')
        return reply['result']

    def drained(self):
        """Ask until nobody waits to be composed; each answer comes at the end of a turn."""
        while self.call('server.stats')['dirty'] > 0:
            pass

    def stalls(self, since):
        """The longest callback over 10 ms that was logged since: (ms, name)."""
        found = [(int(m[2]) / 1000, m[1]) for line in self.lines[since:]
                 if (m := re.search(r'stall in=(\S+) microseconds=(\d+)', line))]
        return max(found, default=(0, '')), len(found)

    def close(self):
        self.answers.close()
        self.console.close()
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)
        self.thread.join()
        self.process.stderr.close()


@contextlib.contextmanager
def daemon(folder, users, source=None, prefix=(), **settings):
    d = Daemon(folder, users, source, prefix, **settings)
    try:
        yield d
    finally:
        d.close()


# --- the report --------------------------------------------------------------------------------------------------

def row(what, *cells):
    print(f'  {what:<52}' + ''.join(f'{cell:>18}' for cell in cells))


def heading(text, *columns):
    print(f'\n{text}')
    row('', *columns)


def ratio(a, b):
    return f'{a / b:.2f}' if b > 0 else '-'


def stall(found):
    (ms, name), count = found
    return f'{ms:.1f} ms ({name}), {count} over 10 ms' if count > 0 else 'none over 10 ms'
