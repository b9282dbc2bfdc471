"""Part 6 of the bench: the CSTA connector, beside the simulated switch of tests/sim. See README.md.

SPDX-License-Identifier: MIT
"""
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from common import ROOT, SUBSCRIBE, answer, daemon, end, heading, in_front, program, ratio, row, stall
from sip_part import figures, memory, spent, wait_until

LINES = 5_000
RATES = (500, 2_000)  # call events a second
SECONDS = 20
STARTS = 5_000  # monitors a second, as far as the switch goes


class Switch:
    """The switch, in a process of its own."""

    def __init__(self, count):
        self.process = subprocess.Popen(['/usr/bin/python3', str(ROOT / 'tests/bench/tapi_switch.py'), str(count)],
                                        text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(answer(self.process))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)

    def load(self, rate, seconds):
        return answer(self.process, f'load {rate} {seconds}')


class Watcher(threading.Thread):
    """A console of one user: when each notification came."""

    def __init__(self, path, user):
        super().__init__()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.sendall(json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': 'presence.subscribe',
                                        'params': {'users': [user]}}).encode() + b'\n')
        self.times, self.ended = [], False
        self.start()

    def run(self):
        with self.socket.makefile() as lines:
            for line in lines:
                now = time.monotonic()
                if '"presence.changed"' in line:
                    self.times.append((now, '"dnd":true' in line))

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.join()
        self.socket.close()


def users_csv():
    return 'id,name,extension\n' + ''.join(f'u{n:06},Person Number {n},{100000 + n}\n' for n in range(LINES))


def source(port, enabled=True):
    return {'name': 'cups', 'type': 'tapi', 'protocol': 'csta', 'server': f'127.0.0.1:{port}', 'enabled': enabled,
            'rate': f'{STARTS}/s', 'in_flight': 64}


def details(d):
    return d.call('sources.list')['sources'][0].get('details', {})


def latencies(changed, seen):
    """Microseconds from each change to the notification that shows it; the list of changes is in its order."""
    found, at = [], 0
    for n, when in enumerate(changed):
        while at < len(seen) and (seen[at][0] < when or seen[at][1] != (n % 2 == 0)):
            at += 1
        if at < len(seen):
            found.append((seen[at][0] - when) * 1e6)
    return found


def run_rate(d, switch, rate):
    watcher = Watcher(d.socket, 'u000000')
    wait_until(lambda: watcher.times, 'the first notification')
    with program('reader', d.socket, 1, '\n', json.dumps(SUBSCRIBE) + '\n') as reader:
        answer(reader)
        since, before = len(d.lines), figures(d.pid)
        events = details(d)['events']
        r = switch.load(rate, SECONDS)
        wait_until(lambda: details(d)['events'] >= events + r['events'], 'all events')
        d.drained()
        r |= spent(before, figures(d.pid)) | {'stall': d.stalls(since), 'rate': rate}
    watcher.stop()
    r['latency'] = latencies(r['changed'], watcher.times)
    if r['violations']:
        sys.exit(f'the switch complains: {r["violations"]}')
    return r


def run_feed(folder, count, rate):
    """As many raw states through a feed, at the same rate."""
    circle = Path(folder) / 'tapi-circle'
    circle.write_text(''.join(
        json.dumps({'address': f'u{n % LINES:06}', 'domain': 'telephony', 'line': 'busy' if n // LINES % 2 else 'idle'})
        + '\n' for n in range(2 * LINES)))
    with daemon(folder, users_csv()) as d, program('feeder', 'feed', d.feed, circle) as feeder, \
            program('reader', d.socket, 1, '\n', json.dumps(SUBSCRIBE) + '\n') as reader:
        answer(reader)
        answer(feeder, f'{LINES} 0')
        d.drained()
        before = figures(d.pid)
        answer(feeder, f'{count} {rate}')
        d.drained()
        return spent(before, figures(d.pid))


def measure(folder):
    began = time.monotonic()
    with Switch(LINES) as switch:
        with daemon(folder, users_csv(), source(switch.port, False)) as d:
            d.drained()
            off = memory(d.pid)
        with daemon(folder, users_csv(), source(switch.port), prefix=in_front()) as d:
            wait_until(lambda: d.call('sources.list')['sources'][0]['raw_states'] >= LINES, 'all lines')
            d.drained()
            r = {'off': off, 'ready': figures(d.pid) | {'seconds': time.monotonic() - d.began, 'stall': d.stalls(0)},
                 'on': memory(d.pid), 'loads': [run_rate(d, switch, rate) for rate in RATES], 'after': memory(d.pid)}
    r['feed'] = run_feed(folder, r['loads'][0]['events'], RATES[0])
    return r | {'seconds': time.monotonic() - began}


# --- the report --------------------------------------------------------------------------------------------------

def percentile(values, part):
    return statistics.quantiles(values, n=1000)[round(part * 1000) - 1]


def report(r):
    off, ready = r['off'], r['ready']
    heading(f'6. CSTA, {LINES} monitored lines, a simulated switch', '')
    row('start to the last line known, s', f'{ready["seconds"]:.2f}')
    row('the same, CPU of the daemon, s', f'{ready["cpu"]:.2f}')
    row('the same, CPU a line (4 requests), us', f'{ready["cpu"] / LINES * 1e6:.0f}')
    row('bytes a line, RSS, all known', f'{(r["on"]["rss"] - off["rss"]) / LINES:.0f}')
    row('bytes a line, RSS, after the calls', f'{(r["after"]["rss"] - off["rss"]) / LINES:.0f}')
    heading('CSTA: calls, one console of everybody, one of one line', *(f'{rate} events/s' for rate in RATES))
    each = r['loads']
    row('call events', *(x['events'] for x in each))
    row('events/s', *(f'{x["events"] / x["at"]:.0f}' for x in each))
    row('CPU of the daemon, % of one core', *(f'{x["cpu"] / x["at"] * 100:.1f}' for x in each))
    row('CPU for an event, us', *(f'{x["cpu"] / x["events"] * 1e6:.0f}' for x in each))
    for name, part in (('p50', 0.5), ('p99', 0.99)):
        row(f'event -> console, {name}, us', *(f'{percentile(x["latency"], part):.0f}' for x in each))
    row('event -> console, longest, us', *(f'{max(x["latency"]):.0f}' for x in each))
    feed = r['feed']['cpu'] / each[0]['events'] * 1e6
    row('CPU for a raw state by feed at that rate, us', f'{feed:.0f}', '')
    row('ratio: an event / a raw state', ratio(each[0]['cpu'] / each[0]['events'] * 1e6, feed), '')
    print(f'\n  longest loop stall, start {stall(ready["stall"])}')
    for x in each:
        print(f'  longest loop stall, {x["rate"]} events/s {stall(x["stall"])}')
    print(f'  ({r["seconds"]:.0f} s for this part)')
