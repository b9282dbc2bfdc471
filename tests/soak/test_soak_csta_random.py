"""A million random lives of a telephone switch; tests/unit/test_csta_random.c says what is looked at: `make soak`.

SEED             repeats a run; it is printed
RUNS             how many sequences (default 1,000,000)
SOAK_SECONDS     after which no more are begun (default 900); how many there were is printed

SPDX-License-Identifier: MIT
"""

import concurrent.futures
import os
import pathlib
import random
import re
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNS = int(os.environ.get("RUNS", "1000000"))
SECONDS = int(os.environ.get("SOAK_SECONDS", "900"))
CHUNK = 20000  # sequences of one process: it has one seed


def program():
    """As fast as it gets: with sanitizers it runs in every `make check`."""
    subprocess.run(["make", "--no-print-directory", "-C", ROOT, "build/unit/test_csta_random"], check=True,
                   stdout=subprocess.DEVNULL, env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "BUILD")})
    return ROOT / "build/unit/test_csta_random"


def run(path, seed, runs, end):
    """One chunk: (sequences done, what it printed, whether all was right)."""
    left = int(end - time.time())
    if left <= 0:
        return 0, "", True
    env = os.environ | {"SEED": str(seed), "RUNS": str(runs), "SECONDS": str(left)}
    done = subprocess.run([path], cwd=ROOT, env=env, capture_output=True, text=True, errors="replace")
    match = re.search(r"^(\d+) sequences", done.stdout, re.M)
    return int(match.group(1)) if match else 0, done.stdout + done.stderr, done.returncode == 0


def test_a_million_lives_of_a_switch(capsys):
    seed = int(os.environ.get("SEED", random.randrange(1, 2**32)))
    path = program()
    end = time.time() + SECONDS

    def show(line):
        with capsys.disabled():
            print(line, flush=True)

    show(f"\nSEED={seed} RUNS={RUNS}")
    chunks = [(seed + n, min(CHUNK, RUNS - n * CHUNK)) for n in range((RUNS + CHUNK - 1) // CHUNK)]
    total = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for count, printed, right in pool.map(lambda chunk: run(path, *chunk, end), chunks):
            total += count
            if not right:
                pool.shutdown(cancel_futures=True)
                show(printed)
            assert right, "see above: SEED and ONLY repeat it"
            if count:
                show(f"{total} of {RUNS}, {time.time() - end + SECONDS:.0f} s")
    show(f"{total} of {RUNS} sequences, 0 failures")
    assert total > 0
