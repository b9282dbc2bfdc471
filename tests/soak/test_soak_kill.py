"""1,000 kills under load; tests/integration/kill_world.py says what is looked at: `make soak`.

SEED             repeats a random test; it is printed
KILLS            how many rounds (default 1000)
PRESENCED_BUILD  the folder with presenced

SPDX-License-Identifier: MIT
"""

import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import kill_world  # noqa: E402

ROUNDS = int(os.environ.get("KILLS", "1000"))
FOLDER_ROUNDS = 50


def test_a_thousand_kills(capsys):
    seed = int(os.environ.get("SEED", random.randrange(2**32)))

    def show(line):
        with capsys.disabled():
            print(line, flush=True)

    show(f"\nSEED={seed} KILLS={ROUNDS}")
    rng, done = random.Random(seed), 0
    while done < ROUNDS:  # each folder for some rounds only: its whole history is read in each
        rounds = min(FOLDER_ROUNDS, ROUNDS - done)
        try:
            report = kill_world.run(rng, rounds)
        except AssertionError as error:
            show(f"FAILED, SEED={seed}, after {done} rounds: {error}")
            raise
        done += rounds
        show(f"{done} of {ROUNDS}: {report}, 0 failures")
