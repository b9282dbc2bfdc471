"""Part 4 of the bench: the SIP connector, beside a real Kamailio and a feed. See README.md.

SPDX-License-Identifier: MIT
"""
import contextlib
import json
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

from common import PATIENCE_S, ROOT, SUBSCRIBE, TICK, answer, daemon, heading, program, ratio, row, rss_bytes, stall

sys.path.insert(0, str(ROOT / 'tests/peers'))

from kamailio import PROGRAM, Kamailio  # noqa: E402
from publisher import Publisher, pidf  # noqa: E402

USERS = 10_000
STORM = 20_000
IN_FLIGHT = 64  # PUBLISHes that wait for their answer
IDLE_S = 20
DOMAIN = 'example.test'
LAST = f'u{USERS - 1:06}'  # has no part in storms; its note with a '!' tells the reader that one is over
TRANSPORTS = ('udp', 'tcp')
WORDS = (('busy', 'busy', 'meeting'), ('away', 'away', 'away'))  # availability, and RPID activities


# --- figures of a process ----------------------------------------------------------------------------------------

def tasks(pid):
    return Path(f'/proc/{pid}/task').iterdir()


def figures(pid):
    """What it has used up so far; CPU exactly (schedstat), of the user and of the system in ticks."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    found = {'cpu': sum(int((task / 'schedstat').read_text().split()[0]) for task in tasks(pid)) / 1e9,
             'system': int(fields[12]) / TICK, 'voluntary': 0, 'nonvoluntary': 0, 'at': time.monotonic()}
    for task in tasks(pid):
        for line in (task / 'status').read_text().splitlines():
            name, _, value = line.partition(':')
            if name.endswith('_ctxt_switches'):
                found[name.removesuffix('_ctxt_switches')] += int(value)
    return found


def spent(before, after):
    return {key: after[key] - before[key] for key in after}


def memory(pid):
    """RSS, and the anonymous part of it: heap and stack, no program text."""
    for line in Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
        if line.startswith('Anonymous:'):
            return {'rss': rss_bytes(pid), 'anonymous': int(line.split()[1]) * 1024}
    raise KeyError('Anonymous')


# --- the world ---------------------------------------------------------------------------------------------------

def users_csv():
    return 'id,name,sip_uri\n' + ''.join(f'u{i:06},Person Number {i},sip:u{i:06}@{DOMAIN}\n' for i in range(USERS))


def sip_source(kamailio, transport, enabled=True):
    return {'name': 'cups', 'type': 'sip', 'server': f'127.0.0.1:{kamailio.port}', 'transport': transport,
            'uri': f'sip:watcher@{DOMAIN}', 'domains': ['rich'], 'enabled': enabled}


def note(number):
    return f'Number {number} of the day; the board room, second floor'


def document(name, words, text):
    return pidf(f'sip:{name}@{DOMAIN}', activities=words[1:], note=text)


def documents(first, count):
    """Publications number `first` and on: users in turn, busy, and away when it is their turn again."""
    for n in range(first, first + count):
        turn, i = divmod(n, USERS - 1)
        yield f'u{i:06}', document(f'u{i:06}', WORDS[turn % 2], note(n)), 'presence'


def raw_lines():
    """The same facts as the documents have, for a feed."""
    for n in range(2 * (USERS - 1)):
        turn, i = divmod(n, USERS - 1)
        availability, *_, activity = WORDS[turn % 2]
        yield json.dumps({'address': f'u{i:06}', 'domain': 'rich', 'availability': availability, 'activity': activity,
                          'note': note(n)}, separators=(',', ':')) + '\n'


def source_of(d):
    return next(one for one in d.call('sources.list')['sources'] if one['name'] == 'cups')


def details(d):
    return source_of(d).get('details', {})


def taken(d):
    """NOTIFYs whose document was read: not those that came again."""
    found = details(d)
    return found['notifies'] - found['repeated'] - found['unknown']


def wait_until(condition, what):
    """Ask a hundred times a second, for each question costs the daemon a little."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            sys.exit(f'not within {PATIENCE_S} s: {what}')
        select.select([], [], [], 0.01)


def wait_established(d):
    wait_until(lambda: details(d).get('established') == USERS, f'{USERS} established subscriptions')
    d.drained()


# --- what is measured --------------------------------------------------------------------------------------------

def idle(d):
    before = figures(d.pid)
    with contextlib.suppress(subprocess.TimeoutExpired):
        d.process.wait(IDLE_S)
        sys.exit('presenced has ended')
    return spent(before, figures(d.pid))


def end_of_round(publisher, reader, word):
    """The reader's count of messages, after it has been told that the round is over."""
    publisher.publish(LAST, document(LAST, WORDS[0], f'!{word}'))
    return answer(reader)


def storm(d, publisher, reader):
    said, stats, since = taken(d), d.call('server.stats'), len(d.lines)
    again, before = details(d)['repeated'], figures(d.pid)
    publisher.publish_many(documents(USERS - 1, STORM), IN_FLIGHT)
    published = time.monotonic() - before['at']
    wait_until(lambda: taken(d) >= said + STORM, f'{STORM} NOTIFYs')
    d.drained()
    r = spent(before, figures(d.pid))
    count = taken(d) - said
    r |= {'notifies': count, 'again': details(d)['repeated'] - again, 'published_s': published,
          'composed': d.call('server.stats')['composed'] - stats['composed'], 'stall': d.stalls(since)}
    return r | {'messages': end_of_round(publisher, reader, 'end')['messages']}


def switch(d, kamailio, transport, enabled):
    """Reload with the source switched off or on; memory after it."""
    since = len(d.lines)
    d.configure(sip_source(kamailio, transport, enabled))
    d.call('config.reload')
    if enabled:
        wait_established(d)
    else:
        wait_until(lambda: source_of(d)['status'] == 'disabled', 'a source switched off')
        d.drained()
    return memory(d.pid) | {'stall': d.stalls(since)}


def trouble(d):
    """Lines of the log that should not be there, and counters that should be 0."""
    lines = [line.strip() for line in d.lines if line.split(' ', 2)[1:2] in (['error'], ['warning'])]
    found = details(d)
    names = ('unknown', 'forgotten', 'failures', 'bad_messages', 'bad_documents')
    return lines, {name: found[name] for name in names if found.get(name)}


def run_transport(folder, transport, off):
    """Everybody has a state at the server before the daemon starts, so to be established is to have a state."""
    r = {}
    with Kamailio(domain=DOMAIN, publ_cache=2, subs_db_mode=0) as kamailio, \
            Publisher('127.0.0.1', kamailio.port, DOMAIN) as publisher:
        publisher.publish_many(documents(0, USERS - 1), IN_FLIGHT)
        publisher.publish(LAST, document(LAST, WORDS[0], note(0)))
        if off:
            with daemon(folder, users_csv(), sip_source(kamailio, transport, False)) as d:
                d.drained()
                r['off'] = memory(d.pid)
        with daemon(folder, users_csv(), sip_source(kamailio, transport)) as d:
            wait_established(d)
            r['established'] = figures(d.pid) | {'seconds': time.monotonic() - d.began, 'stall': d.stalls(0)}
            r['on'] = memory(d.pid)
            with program('reader', d.socket, 1, '\n', json.dumps(SUBSCRIBE) + '\n') as reader:
                answer(reader)
                end_of_round(publisher, reader, 'synchronised')
                d.drained()
                if off:
                    r['idle'] = idle(d)
                r['storm'] = storm(d, publisher, reader)
            r['after'] = memory(d.pid)
            r['trouble'] = trouble(d)
            if off:
                r['switched_off'] = switch(d, kamailio, transport, False)
                r['switched_on'] = switch(d, kamailio, transport, True)
            r['loop'] = d.call('server.stats')['loop']
        r['bytes'] = sum(len(body) for _, body, _ in documents(USERS - 1, STORM)) / STORM
    return r


def run_feed(folder, rate):
    """The same changes through a feed: at the rate of the storm, and as fast as they are taken."""
    circle = folder / 'rich-circle'
    circle.write_text(''.join(raw_lines()))
    runs = []
    with daemon(folder, users_csv()) as d, program('feeder', 'feed', d.feed, circle) as feeder, \
            program('reader', d.socket, 1, '\n', json.dumps(SUBSCRIBE) + '\n') as reader:
        answer(reader)
        for run, (count, pace) in enumerate(((USERS - 1, 0), (STORM, rate), (STORM, 0))):
            before = figures(d.pid)
            last = {'address': LAST, 'domain': 'rich', 'availability': 'busy', 'note': f'!{run}'}
            answer(feeder, f'{count} {pace} {json.dumps(last)}')
            messages = answer(reader)['messages']
            runs.append(spent(before, figures(d.pid)) | {'messages': messages})
    return runs[1:]


def measure(folder):
    """All of it, or None where there is no Kamailio."""
    if shutil.which(PROGRAM) is None:
        return None
    began = time.monotonic()
    r = {transport: run_transport(folder, transport, transport == 'udp') for transport in TRANSPORTS}
    r['feed'], r['feed_full'] = run_feed(folder, round(STORM / r['udp']['storm']['at']))
    r['seconds'] = time.monotonic() - began
    return r


# --- the report --------------------------------------------------------------------------------------------------

def each(what, form, value, r):
    row(what, *(form.format(value(r[transport])) for transport in TRANSPORTS))


def report_memory(r):
    heading(f'4. SIP, {USERS} users, package presence, a real Kamailio: memory over UDP', 'RSS', 'anonymous')
    off = r['off']
    row('source switched off, MiB', *(f'{off[key] / 2**20:.1f}' for key in ('rss', 'anonymous')))
    for key, what in (('on', 'all established, all with a state'), ('after', f'after {STORM} changes, a console'),
                      ('switched_off', 'switched off by a reload'), ('switched_on', 'switched on again')):
        row(f'a watched user, {what}, bytes', *(f'{(r[key][k] - off[k]) / USERS:.0f}' for k in ('rss', 'anonymous')))


def report_storm(r):
    heading(f'SIP: {STORM} PUBLISHes of {r["udp"]["bytes"]:.0f} bytes, {IN_FLIGHT} at a time, one console',
            'UDP', 'TCP')
    each('start to all established, s', '{:.2f}', lambda x: x['established']['seconds'], r)
    each('the same, CPU of the daemon, s', '{:.2f}', lambda x: x['established']['cpu'], r)
    each('the same, CPU for each subscription, us', '{:.0f}', lambda x: x['established']['cpu'] / USERS * 1e6, r)
    each('PUBLISHes/s', '{:,.0f}', lambda x: STORM / x['storm']['published_s'], r)
    each('NOTIFYs', '{}', lambda x: x['storm']['notifies'], r)
    each('NOTIFYs that came again', '{}', lambda x: x['storm']['again'], r)
    each('compositions', '{}', lambda x: x['storm']['composed'], r)
    each('messages to the console', '{}', lambda x: x['storm']['messages'], r)
    each('CPU of the daemon, s', '{:.2f}', lambda x: x['storm']['cpu'], r)
    each('of it in the kernel, s', '{:.2f}', lambda x: x['storm']['system'], r)
    each('CPU for a NOTIFY, us', '{:.1f}', cpu_notify, r)
    for key, what in (('feed', 'at the UDP rate'), ('feed_full', 'as fast as taken')):
        cpu = cpu_raw(r[key])
        row(f'CPU for a raw state by feed, {what}, us', f'{cpu:.1f}', f'{cpu:.1f}')
        each(f'ratio: a NOTIFY / a raw state {what}', '{}', lambda x, cpu=cpu: ratio(cpu_notify(x), cpu), r)


def cpu_notify(x):
    return x['storm']['cpu'] / x['storm']['notifies'] * 1e6


def cpu_raw(run):
    return run['cpu'] / STORM * 1e6


def report_loop(r):
    print()
    for transport in TRANSPORTS:
        for key, what in (('established', 'start to established'), ('storm', 'storm'),
                          ('switched_off', 'switched off'), ('switched_on', 'switched on again')):
            if key in r[transport]:
                print(f'  longest loop stall, {transport}, {what:<22} {stall(r[transport][key]["stall"])}')
        loop = r[transport]['loop']
        print(f'  longest of all, {transport}, server.stats: {loop["longest_us"] / 1000:.1f} ms in {loop["longest"]}, '
              f'{loop["stalls"]} over 10 ms')
        lines, counters = r[transport]['trouble']
        print(f'  errors and warnings in the log, {transport}: {len(lines)}; counters of trouble: {counters or "none"}')
        for line in lines[:3]:
            print(f'    {line}')


def report(r):
    if r is None:
        print('\n4. SIP: kamailio is not installed')
        return
    report_memory(r['udp'])
    report_storm(r)
    report_loop(r)
    quiet = r['udp']['idle']
    heading(f'SIP: idle, {USERS} established subscriptions over UDP, {quiet["at"]:.0f} s', '')
    row('wakeups (voluntary context switches)', quiet['voluntary'])
    row('taken from the CPU (the others)', quiet['nonvoluntary'])
    row('CPU, ms', f'{quiet["cpu"] * 1e3:.1f}')
    print(f'  ({r["seconds"]:.0f} s for this part)')
