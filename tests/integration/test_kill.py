"""kill -9 at random moments under load: what was acknowledged is there, and nothing that nobody has asked for.

SEED   repeats a random test; it is printed
KILLS  how many rounds (default 20)

SPDX-License-Identifier: MIT
"""

import os
import random

import kill_world

ROUNDS = int(os.environ.get("KILLS", "20"))


def test_what_was_acknowledged_survives_kills():
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed} KILLS={ROUNDS}")
    print(kill_world.run(random.Random(seed), ROUNDS))
