"""The telephone switch of the bench: a process of its own, told what to do by lines.

    load RATE SECONDS  calls among all extensions, and DND of the first one changed fifty times a second; the answer is
                       {"events": N, "seconds": S, "changed": [monotonic time of each change, ...]}

SPDX-License-Identifier: MIT
"""
import json
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'sim'))

from csta_switch import CstaSwitch  # noqa: E402

TOGGLE_S = 0.02


def toggles(switch, device, seconds):
    """Changes of DND, one after another in the thread of the switch; the list grows meanwhile."""
    changed, until = [], time.monotonic() + seconds

    def toggle():
        if time.monotonic() >= until:
            return
        changed.append(time.monotonic())
        switch.model.set_dnd(device, len(changed) % 2 == 1)
        switch.after(TOGGLE_S, toggle)

    switch.do(toggle)
    return changed


def run(switch, devices, rate, seconds):
    before, began = switch.counters['events'], time.monotonic()
    changed = toggles(switch, devices[0], seconds)
    switch.load(rate, seconds=seconds, rng=random.Random(1), devices=devices[1:]).wait(seconds + 60)
    return {'events': switch.counters['events'] - before, 'seconds': time.monotonic() - began, 'changed': changed,
            'violations': switch.violations[:3]}


def main():
    count = int(sys.argv[1])
    devices = [str(100000 + n) for n in range(count)]
    with CstaSwitch(extensions=devices) as switch:
        print(switch.port, flush=True)
        for line in sys.stdin:
            _, rate, seconds = line.split()
            print(json.dumps(run(switch, devices, float(rate), float(seconds))), flush=True)


if __name__ == '__main__':
    main()
