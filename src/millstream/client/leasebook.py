"""What one worker knows of its group's leases, and what follows from that: lists and times go in, changes come out.

    observe(all leases, now) ─► lost      whose shards must not be read on
    plan(now) ─► changes                  renewals, checkpoints, leases to take: for LeaseStore.replace
    settle(change, whether it took, when it was sent)

Rules, as the Kinesis Client Library has them:

- A lease has expired for whoever has seen the same counter for `lease_s` on its own clock. Of a while without a look
  (it was frozen, or the store was unreachable) little counts: the owner may have been no better off. So after an
  outage all keep what they have.
- Only leases that can be read are shared out: not finished, and no parent unfinished. Free and expired ones are taken
  up to a fair share; if there are none, some are stolen from the owner of most, a quarter of what it has more, if that
  leaves both nearer to a fair share.
- An owner that has not managed to renew for `lease_s` no longer counts on its lease (`is_sure`), though nobody may
  have taken it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from millstream.client.checkpoints import SHARD_END, Checkpoint
from millstream.client.leases import Lease

RENEWALS = 3  # in the time that a lease lasts


class _Seen(NamedTuple):
    lease: Lease
    since_s: float


class _Held:
    """A lease of our own: as stored, when it was last surely renewed, and the checkpoint that is to be saved."""

    def __init__(self, lease: Lease, renewed_s: float) -> None:
        self.lease = lease
        self.renewed_s = renewed_s
        self.checkpoint = lease.checkpoint

    @property
    def is_saved(self) -> bool:
        return self.checkpoint == self.lease.checkpoint


class LeaseBook:
    """The leases of a group as `worker` sees them; times are seconds of a monotonic clock."""

    def __init__(self, worker: str, lease_s: float, choice: random.Random) -> None:
        self.worker = worker
        self.lease_s = lease_s
        self._choice = choice
        self._seen: dict[str, _Seen] = {}
        self._held: dict[str, _Held] = {}
        self._observed_s = float("-inf")

    @property
    def leases(self) -> list[Lease]:
        """All leases, as last observed."""
        return [seen.lease for seen in self._seen.values()]

    @property
    def held(self) -> list[str]:
        """The shards whose leases are ours, as far as we know."""
        return list(self._held)

    def is_sure(self, shard_id: str, now_s: float) -> bool:
        """Whether nobody else can have taken the lease since we last looked."""
        held = self._held.get(shard_id)
        return held is not None and now_s - held.renewed_s < self.lease_s

    def checkpoint(self, shard_id: str) -> Checkpoint:
        """How far we have come in a shard that is held, saved or not."""
        return self._held[shard_id].checkpoint

    def is_saved(self, shard_id: str) -> bool:
        """Whether the store has the checkpoint, or the lease is not ours any more."""
        return shard_id not in self._held or self._held[shard_id].is_saved

    def progress(self, shard_id: str, checkpoint: Checkpoint) -> None:
        """Note how far we have come; never goes back. Without the lease nothing is noted."""
        held = self._held.get(shard_id)
        if held is not None and checkpoint.order >= held.checkpoint.order:
            held.checkpoint = checkpoint

    def observe(self, leases: Iterable[Lease], now_s: float) -> list[str]:
        """Take note of all leases; returns the shards that were held and are not any more."""
        gap_s = now_s - self._observed_s
        unseen_s = gap_s - self.lease_s / 4 if gap_s > self.lease_s / 2 else 0.0
        before, self._seen = self._seen, {}
        self._observed_s = now_s
        for lease in leases:
            known = before.get(lease.shard_id)
            if known is not None and (known.lease.counter, known.lease.owner) == (lease.counter, lease.owner):
                self._seen[lease.shard_id] = _Seen(lease, known.since_s + unseen_s)
            else:
                self._seen[lease.shard_id] = _Seen(lease, now_s)
        lost = [shard_id for shard_id in self._held if not self._is_ours(shard_id)]
        for shard_id in lost:
            del self._held[shard_id]
        for seen in self._seen.values():
            self._adopt(seen.lease)
        return lost

    def plan(self, now_s: float, *, balance: bool = True) -> list[Lease]:
        """The changes to make now: checkpoints to save and renewals that are due and, to `balance`, leases to take."""
        due_s = now_s - self.lease_s / RENEWALS
        changes = [
            _changed(held.lease, checkpoint=held.checkpoint)
            for held in self._held.values()
            if not held.is_saved or held.renewed_s <= due_s
        ]
        if balance:
            changes += [self._taken(lease) for lease in self._to_take(now_s)]
        return changes

    def release(self) -> list[Lease]:
        """The changes that save all checkpoints and give all leases away."""
        return [_changed(held.lease, checkpoint=held.checkpoint, owner=None) for held in self._held.values()]

    def settle(self, change: Lease, took: bool, sent_s: float) -> None:
        """Take note of what became of a change.

        A refusal of a lease that is held leaves it unsure: somebody else has it, or a change of our own took place
        whose answer was lost. `observe` tells which.
        """
        held = self._held.get(change.shard_id)
        if not took:
            if held is not None:
                held.renewed_s = float("-inf")
            return
        self._seen[change.shard_id] = _Seen(change, sent_s)
        if change.owner is None:
            self._held.pop(change.shard_id, None)
        elif held is not None:
            held.lease, held.renewed_s = change, sent_s
        else:
            self._held[change.shard_id] = _Held(change, sent_s)

    def _is_ours(self, shard_id: str) -> bool:
        seen = self._seen.get(shard_id)
        return seen is not None and seen.lease.owner == self.worker and not seen.lease.checkpoint.is_end

    def _adopt(self, lease: Lease) -> None:
        """Go on from the stored lease: a change of ours may have taken place although its answer was lost."""
        if lease.owner != self.worker or lease.checkpoint.is_end:
            return
        held = self._held.setdefault(lease.shard_id, _Held(lease, float("-inf")))
        held.lease = lease

    def _taken(self, lease: Lease) -> Lease:
        return _changed(lease, owner=self.worker, owner_switches=lease.owner_switches + 1)

    def _to_take(self, now_s: float) -> list[Lease]:
        ready = [seen for seen in self._seen.values() if is_ready(seen.lease, self._lease)]
        owners = Counter({self.worker: 0})
        free, others = [], []
        for seen in ready:
            owner = self._owner(seen, now_s)
            if owner is None:
                free.append(seen.lease)
                continue
            owners[owner] += 1
            if owner != self.worker:
                others.append(seen.lease)
        mine = owners[self.worker]
        if free:
            share = -(-len(ready) // len(owners))
            return self._choice.sample(free, min(len(free), max(0, share - mine)))
        richest, most = max(owners.items(), key=lambda item: (item[1], item[0]))
        if most - mine < 2:
            return []
        return self._choice.sample([lease for lease in others if lease.owner == richest], max(1, (most - mine) // 4))

    def _owner(self, seen: _Seen, now_s: float) -> str | None:
        """Whose the lease is now, or nobody's."""
        owner = seen.lease.owner
        if owner == self.worker:
            return owner
        return None if now_s - seen.since_s > self.lease_s else owner

    def _lease(self, shard_id: str) -> Lease | None:
        seen = self._seen.get(shard_id)
        return seen.lease if seen is not None else None


def is_ready(lease: Lease, find: Callable[[str], Lease | None]) -> bool:
    """Whether a lease's shard has something to read and all its parents, as far as they have leases, are finished."""
    if lease.checkpoint.is_end:
        return False
    parents = (find(parent) for parent in lease.parents)
    return all(parent is None or parent.checkpoint.is_end for parent in parents)


def _changed(lease: Lease, **changes: Any) -> Lease:
    if changes.get("checkpoint", lease.checkpoint) != lease.checkpoint:
        changes["owner_switches"] = 0
    if changes.get("checkpoint") == SHARD_END:
        changes["owner"] = None
    return lease._replace(counter=lease.counter + 1, **changes)
