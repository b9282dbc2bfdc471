"""Part 5 of the bench: what must survive: history, notes, users by hand, and reloads of large files. See README.md.

SPDX-License-Identifier: MIT
"""
import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from common import (BUILD, TICK, answer, daemon, heading, in_front, program, ratio, row, rss_bytes, stall, users_csv,
                    write_circle)

USERS = 2000
RATE = 10_000
SECONDS = 10
NOTES = 200
LATENCY_RATE, LATENCY_COUNT = 200, 1000
MANY = 100_000
LINE_USERS = 500  # in one line of users.import
GONE = 30_000  # of them are missing in the file that is read again
PAGES = 50  # asked for, of each kind
PAGE = 100
LOOP, STORE = 'presenced', 'store'  # names of the threads
COLUMNS = (('on', 'history on'), ('off', 'history off'))


# --- figures -----------------------------------------------------------------------------------------------------

def cpu(pid):
    """Seconds of each thread, exactly, and those in the kernel (ticks), by its name."""
    found = {}
    for task in Path(f'/proc/{pid}/task').iterdir():
        fields = (task / 'stat').read_text().rpartition(')')[2].split()
        found[(task / 'comm').read_text().strip()] = (int((task / 'schedstat').read_text().split()[0]) / 1e9,
                                                      int(fields[12]) / TICK)
    return found


def spent(before, after, name):
    return tuple(b - a for a, b in zip(before[name], after[name]))


def part(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def settled(d):
    """Until all is composed, and on disk."""
    d.drained()
    while d.call('server.stats')['store']['waiting'] > 0:
        time.sleep(0.01)


def file_of(d):
    return d.folder / 'state/presenced.db'


def checkpointed(d):
    """Bytes of the file, when nothing stands beside it."""
    settled(d)
    with contextlib.closing(sqlite3.connect(file_of(d))) as db:
        while db.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone()[0] != 0:
            time.sleep(0.1)
    return file_of(d).stat().st_size


def measured(d, action):
    """What the action took, and the stalls of it."""
    since, before, began = len(d.lines), rss_bytes(d.pid), time.monotonic()
    r = action()
    seconds = time.monotonic() - began
    settled(d)
    return {'result': r, 'seconds': seconds, 'stall': d.stalls(since), 'before': before, 'after': rss_bytes(d.pid),
            'loop': d.call('server.stats')['loop']}


# --- the world ---------------------------------------------------------------------------------------------------

def feeds(folder):
    """One for the load, one for the latency, which has the other half of the presence."""
    return [{'name': name, 'type': 'feed', 'technology': technology, 'domains': [domain], 'socket': str(folder / name)}
            for name, technology, domain in (('lab', 'tapi', 'telephony'), ('chat', 'xmpp', 'rich'))]


# --- history, notes and latency under load -----------------------------------------------------------------------

def notes(d):
    """Seconds until each note is on disk."""
    found = []
    for i in range(NOTES):
        reply, seconds = d.ask('notes.set', user=f'u{i % USERS:06}', text=f'{time.monotonic_ns()} back at three')
        if 'result' not in reply:
            sys.exit(f'notes.set: {reply}')
        found.append(seconds)
    return found


def latency(d):
    result = subprocess.run([BUILD / 'bench/latency', d.settings['sources'][1]['socket'], d.socket, str(USERS),
                             str(LATENCY_RATE), str(LATENCY_COUNT)], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(result.stdout)


def beside_load(d, feeder, action):
    feeder.stdin.write(f'{RATE * SECONDS} {RATE} \n')
    r = action(d)
    answer(feeder)
    settled(d)
    return r


def load(d, feeder):
    """The changes alone: CPU of each thread, rows, and bytes."""
    size, stats, before = checkpointed(d), d.call('server.stats'), cpu(d.pid)
    sent = answer(feeder, f'{RATE * SECONDS} {RATE} ')
    waiting = d.call('server.stats')['store']['waiting']
    settled(d)
    after, then = cpu(d.pid), d.call('server.stats')
    rows = then['store']['rows'] - stats['store']['rows']
    return {'seconds': (sent['ended_ns'] - sent['began_ns']) / 1e9, 'waiting': waiting, 'rows': rows,
            'loop': spent(before, after, LOOP), 'store': spent(before, after, STORE), 'loop_stats': then['loop'],
            'published': then['published'] - stats['published'], 'lost': then['store']['rows_lost'],
            'commits': then['store']['commits'] - stats['store']['commits'], 'bytes': checkpointed(d) - size}


def run_load(folder, history):
    with daemon(folder, users_csv(range(USERS)), prefix=in_front(), history={'enabled': history},
                sources=feeds(folder)) as d, program('feeder', 'feed', folder / 'lab', folder / 'load') as feeder:
        answer(feeder, f'{2 * USERS} 0 ')
        r = {'load': load(d, feeder)}
        if history:
            shutil.copy(file_of(d), folder / 'past.db')
        r['latency'] = latency(d)
        r['latency_load'] = beside_load(d, feeder, latency)
        r['notes'] = notes(d)
        r['notes_load'] = beside_load(d, feeder, notes)
        r['stats'] = d.call('server.stats')
        r['stall'] = d.stalls(0)
    return r


# --- a long past -------------------------------------------------------------------------------------------------

def make_past(folder):
    """All that was written under the load is of one user."""
    state = folder / 'past'
    state.mkdir(mode=0o700)
    (folder / 'past.db').rename(state / 'presenced.db')
    with contextlib.closing(sqlite3.connect(state / 'presenced.db')) as db, db:
        db.execute('DELETE FROM history WHERE user IS NOT NULL AND id NOT IN '
                   '(SELECT id FROM history WHERE user IS NOT NULL ORDER BY id DESC LIMIT ?)', (MANY,))
        db.execute("UPDATE history SET user=(SELECT id FROM history_users WHERE user='u000000') "
                   'WHERE user IS NOT NULL')
        return state, db.execute('SELECT count(*) FROM history WHERE user IS NOT NULL').fetchone()[0]


def pages(d, **where):
    found = []
    for _ in range(PAGES):
        reply, seconds = d.ask('history.list', user='u000000', limit=PAGE, **where)
        if len(reply['result']['rows']) != PAGE:
            sys.exit(f'history.list: {len(reply["result"]["rows"])} rows')
        found.append(seconds)
    return {'p50': part(found, 0.5), 'p99': part(found, 0.99)}, reply['result']


def run_past(folder):
    state, count = make_past(folder)
    with contextlib.closing(sqlite3.connect(state / 'presenced.db')) as db:
        middle, at = db.execute('SELECT id, at FROM history WHERE user IS NOT NULL ORDER BY id LIMIT 1 OFFSET ?',
                                (count // 2,)).fetchone()
    at = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at // 1000)) + f'.{at % 1000:03}Z'
    with daemon(folder, users_csv(range(USERS)), prefix=in_front(), state=str(state)) as d:
        settled(d)
        r = {'begin': pages(d)[0], 'after': pages(d, after=middle)[0], 'from': pages(d, **{'from': at})[0]}
        r['loop'], r['count'] = d.call('server.stats')['loop'], count
        began, after, seen = time.monotonic(), 0, 0
        while after is not None:
            page = d.call('history.list', user='u000000', limit=1000, after=after)
            after, seen = page['next'], seen + len(page['rows'])
        r['all'] = time.monotonic() - began
    return r


# --- many users --------------------------------------------------------------------------------------------------

def import_lines():
    for first in range(0, MANY, LINE_USERS):
        users = [{'id': f'u{i:06}', 'name': f'Person Number {i}', 'groups': [f'floor{i // 50}', 'all'],
                  'addresses': {'extension': f'{i:06}'}} for i in range(first, first + LINE_USERS)]
        params = {'users': users} | ({'more': True} if first + LINE_USERS < MANY else {})
        yield json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': 'users.import', 'params': params}).encode() + b'\n'


def send_lines(d, lines):
    """Seconds of the longest answer but the last, and of the last."""
    longest = 0
    for line in lines:
        began = time.monotonic()
        d.console.sendall(line)
        reply = json.loads(d.answers.readline())
        if 'result' not in reply:
            sys.exit(f'users.import: {reply}')
        last = time.monotonic() - began
        if 'staged' in reply['result']:
            longest = max(longest, last)
    if reply['result']['added'] + reply['result']['unchanged'] != MANY:
        sys.exit(f'users.import: {reply}')
    return longest, last


def run_import(folder):
    lines = list(import_lines())
    with daemon(folder, users_csv(()), prefix=in_front()) as d:
        settled(d)
        r = {'import': measured(d, lambda: send_lines(d, lines)), 'again': measured(d, lambda: send_lines(d, lines))}
        r['bytes'] = checkpointed(d)
        d.close()
        d.start()
        d.call('server.info')
        r['start_s'] = time.monotonic() - d.began
        if d.call('server.stats')['users'] != MANY:
            sys.exit('not everybody is back')
        settled(d)
        r['start_rss'], r['start_stall'] = rss_bytes(d.pid), d.stalls(0)
        r['start_loop'] = d.call('server.stats')['loop']
    return r


def reload(d, wanted, **params):
    reply, _ = d.ask('config.reload', **params)
    removed = reply.get('result', {}).get('users', {}).get('removed')
    if reply.get('error', {}).get('code', removed) != wanted:
        sys.exit(f'config.reload: {reply}')


def run_reload(folder):
    with daemon(folder, users_csv(range(MANY)), prefix=in_front()) as d:
        with program('feeder', 'feed', d.feed, folder / 'many') as feeder:
            r = {'said': measured(d, lambda: answer(feeder, f'{MANY} 0 '))}
            while d.call('server.stats')['store']['rows'] < MANY:
                time.sleep(0.1)
            settled(d)
            r['rows'], r['lost'] = (d.call('server.stats')['store'][key] for key in ('rows', 'rows_lost'))
            r['same'] = measured(d, lambda: reload(d, 0))
            (d.folder / 'users.csv').write_text(users_csv(range(MANY - GONE)))
            r['refused'] = measured(d, lambda: reload(d, -32006))
            r['forced'] = measured(d, lambda: reload(d, GONE, force=True))
            (d.folder / 'users.csv').write_text(users_csv(range(MANY)))
            r['back'] = measured(d, lambda: reload(d, 0))
            d.configure({'name': 'lab', 'type': 'feed', 'socket': str(d.feed), 'enabled': False})
            r['off'] = measured(d, lambda: reload(d, 0))
    return r


def measure(folder):
    began = time.monotonic()
    write_circle(folder / 'load', USERS)
    write_circle(folder / 'many', MANY)
    r = {key: run_load(folder, key == 'on') for key, _ in COLUMNS}
    r |= {'past': run_past(folder), 'import': run_import(folder), 'reload': run_reload(folder)}
    r['seconds'] = time.monotonic() - began
    return r


# --- the report --------------------------------------------------------------------------------------------------

def longest(loop):
    return f'{loop["longest_us"] / 1000:.1f} ms in {loop["longest"]}'


def each(what, form, value, r, compare=False):
    found = [value(r[key]) for key, _ in COLUMNS]
    row(what, *(form.format(x) for x in found), ratio(*found) if compare else '')


def report_load(r):
    heading(f'5. The store: {USERS} users, a feed with {RATE} changes/s for {SECONDS} s',
            *(what for _, what in COLUMNS), 'ratio')
    each('the feed took, s', '{:.2f}', lambda x: x['load']['seconds'], r)
    each('changes published', '{}', lambda x: x['load']['published'], r)
    each('CPU of the loop\'s thread, s', '{:.2f}', lambda x: x['load']['loop'][0], r, True)
    each('of it in the kernel, s', '{:.2f}', lambda x: x['load']['loop'][1], r)
    each('CPU of the store\'s thread, s', '{:.2f}', lambda x: x['load']['store'][0], r)
    each('of it in the kernel, s', '{:.2f}', lambda x: x['load']['store'][1], r)
    each('CPU of both for a change, us', '{:.1f}',
         lambda x: (x['load']['loop'][0] + x['load']['store'][0]) / x['load']['published'] * 1e6, r, True)
    each('rows of history written', '{}', lambda x: x['load']['rows'], r)
    each('rows lost', '{}', lambda x: x['load']['lost'], r)
    each('rows that waited at the end', '{}', lambda x: x['load']['waiting'], r)
    each('commits', '{}', lambda x: x['load']['commits'], r)
    row('bytes on disk a row, after a checkpoint', f'{r["on"]["load"]["bytes"] / r["on"]["load"]["rows"]:.0f}', '-', '')
    for key, what in (('latency', 'without the load'), ('latency_load', 'beside it')):
        for share in ('p50', 'p99'):
            each(f'raw line -> notification, {what}, {share}, us', '{:.0f}', lambda x: x[key][f'{share}_us'], r, True)
    for key, what in (('notes', 'without the load'), ('notes_load', 'beside it')):
        for share in (0.5, 0.99):
            each(f'notes.set, {what}, p{share * 100:.0f}, ms', '{:.1f}', lambda x: part(x[key], share) * 1e3, r, True)
    for key, what in COLUMNS:
        print(f'  longest loop stall, {what:<22} {stall(r[key]["stall"])}')
        print(f'  longest of all, {what}, server.stats: {longest(r[key]["stats"]["loop"])}, '
              f'{r[key]["stats"]["loop"]["stalls"]} over 10 ms; rows lost {r[key]["stats"]["store"]["rows_lost"]}')


def report_past(r):
    heading(f'The store: history.list of a user with {r["count"]} rows, a page of {PAGE}', 'p50 ms', 'p99 ms',
            '/ begin')
    for key, what in (('begin', 'at the begin'), ('after', 'from the middle, `after`'),
                      ('from', 'from the middle, `from`')):
        row(what, *(f'{r[key][share] * 1e3:.2f}' for share in ('p50', 'p99')),
            ratio(r[key]['p50'], r['begin']['p50']))
    row('all of them, in pages of 1000, s', f'{r["all"]:.2f}')
    print(f'  longest of all, server.stats: {longest(r["loop"])}')


def many(what, x):
    row(what, f'{x["seconds"]:.2f}', f'{x["before"] / 2**20:.1f}', f'{x["after"] / 2**20:.1f}')
    print(f'    longest loop stall: {stall(x["stall"])}; longest since the start: {longest(x["loop"])}')


def report_many(r):
    heading(f'The store: {MANY} users', 'seconds', 'RSS before, MiB', 'after')
    many(f'users.import, by hand, {LINE_USERS} a line', r['import']['import'])
    row('the longest answer to a line, ms', f'{r["import"]["import"]["result"][0] * 1e3:.1f}')
    row('the last answer, when all is on disk, s', f'{r["import"]["import"]["result"][1]:.2f}')
    many('the same again: all unchanged', r['import']['again'])
    row('bytes of the file a user', f'{r["import"]["bytes"] / MANY:.0f}')
    row('start with them in the file, until an answer', f'{r["import"]["start_s"]:.2f}', '-',
        f'{r["import"]["start_rss"] / 2**20:.1f}')
    print(f'    longest loop stall: {stall(r["import"]["start_stall"])}; '
          f'longest since the start: {longest(r["import"]["start_loop"])}')
    x = r['reload']
    many('users.csv: a raw line for everybody, fast', x['said'])
    row('rows of history, and lost', x['rows'], x['lost'])
    many('reload of the same file', x['same'])
    many(f'reload, {GONE} are gone: refused', x['refused'])
    many('the same, with force', x['forced'])
    many('reload, they are back', x['back'])
    many('reload, the feed is switched off', x['off'])


def report(r):
    report_load(r)
    report_past(r['past'])
    report_many(r)
    print(f'  ({r["seconds"]:.0f} s for this part)')
