"""Thousands of seeded lives of a log: power losses, torn writes, full disks, failed syncs, restarts, retention."""

from __future__ import annotations

import os

import pytest

from support.log_simulator import Simulation

SEEDS = range(int(os.environ.get("SEEDS", "300")))  # CI takes more
if "SEED" in os.environ:
    SEEDS = range(int(os.environ["SEED"]), int(os.environ["SEED"]) + 1)
CHUNK = 50


@pytest.mark.parametrize("first", SEEDS[::CHUNK])
def test_acknowledged_records_survive_whatever_happens(first: int) -> None:
    for seed in SEEDS[SEEDS.index(first) : SEEDS.index(first) + CHUNK]:
        try:
            Simulation(seed).run(steps=25)
        except BaseException as error:
            error.add_note(f"run it again with: make sim SEED={seed}")
            raise
