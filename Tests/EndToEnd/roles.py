"""Runs that come, end and are deleted, one after the other, and what the collector has promised of each."""

import enum
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc

from client import failure_of
from scripted import Script, assert_stored
from wire import v1

KEPT_RUNS = 2
"""How many runs are kept where runs are pruned."""


class Disconnected(Exception):
    """A stream ended before all was acked."""


class Fate(enum.Enum):
    """What becomes of runs that ended."""

    KEPT = enum.auto()
    NAMED = enum.auto()
    """Some are deleted by name."""
    PRUNED = enum.auto()
    """All but the newest are, when the role asks for it."""
    RETIRED = enum.auto()
    """All but the newest are, by the retention that was set."""


@dataclass
class Role:
    """A line of runs, one after the other, in a project of its own."""

    number: int
    salt: str
    """What makes the names of its runs, and so all that they send, other than those of another test."""
    fate: Fate
    incarnation: int = 0
    acked: int = 0
    offered: int = 0
    """The last report of the present run that may have arrived."""
    seen: dict[int, tuple[str, v1.AlertTransition]] = field(default_factory=dict)
    """The transitions that came on a stream, by cursor, each with its run."""
    ended: list[Script] = field(default_factory=list)
    """The runs that ended and were not deleted, in that order."""
    doomed: list[str] = field(default_factory=list)
    """Those of them of which nobody knows whether they were: the question was not answered."""
    gone: set[str] = field(default_factory=set)
    """The runs that were deleted."""

    @property
    def project(self) -> str:
        return f"role {self.number}"

    def script(self) -> Script:
        run_id = f"{self.salt} role {self.number} run {self.incarnation}"
        # Of those that are deleted there must be many, because what is deleted is soon gone.
        is_short = self.fate in {Fate.NAMED, Fate.PRUNED}
        totals = [30, 100, 300] if is_short else [30, 300, 700, 1500]
        return Script(run_id, random.Random(run_id).choice(totals))

    def advance(self, client, chance: random.Random, die: Callable[[], None]):
        """Sends what is left of the present run, ends it, reads all of it back; then the next one is due."""
        self.settle(client)
        script = self.script()
        # It may be one that was deleted, and comes again; without an answer, nobody knows whether it did.
        self.gone.discard(script.run_id)
        last = client.register(script.registration(project=self.project)).producer.last_sequence
        assert self.acked <= last <= self.offered, (script.run_id, self.acked, last, self.offered)
        self.acked = last
        if chance.random() < 0.3:
            assert_stored(client, script, last)
        if last < script.total:
            self.send(client, script, last)
        status = chance.choice([v1.RUN_STATUS_FINISHED, v1.RUN_STATUS_FAILED])
        client.ingest.FinishRun(v1.FinishRunRequest(run_id=script.run_id, status=status))
        # Sealing of the rest has just begun.
        assert_stored(client, script, script.total)
        self.ended.append(script)
        self.incarnation, self.acked, self.offered = self.incarnation + 1, 0, 0
        if self.fate in {Fate.NAMED, Fate.PRUNED} and chance.random() < 0.8:
            self.delete(client, chance, die)

    def send(self, client, script: Script, last: int):
        """Streams the reports after `last`."""
        self.offered = script.total
        stream = client.stream(script.run_id, want_alerts=True)
        stream.send(*script.reports(last + 1))
        stream.wait(lambda: stream.acked >= script.total or stream.ended, "acks")
        self.acked = max(self.acked, stream.acked)
        for transition in stream.transitions:
            self.seen[transition.cursor] = (script.run_id, transition)
        if stream.acked < script.total:
            raise Disconnected(stream.end())
        stream.close()
        stream.end()

    def delete(self, client, chance: random.Random, die: Callable[[], None]):
        """Deletes a run, or all but the newest; `die` says that this is a good moment to kill the collector."""
        die()
        if self.fate == Fate.NAMED:
            run_id = chance.choice(self.ended[-2:]).run_id
            self.doomed = [run_id]
            deleted = [client.admin.DeleteRun(v1.DeleteRunRequest(run_id=run_id)).run.run_id]
        else:
            self.doomed = [script.run_id for script in self.ended[:-KEPT_RUNS]]
            retention = v1.Retention(maximum_runs=KEPT_RUNS)
            request = v1.PruneRunsRequest(project=self.project, retention=retention)
            deleted = [pruned.run.run_id for pruned in client.admin.PruneRuns(request).pruned]
        assert deleted == self.doomed
        die()
        newest = self.ended[-1].run_id
        self.forget(deleted)
        if newest in self.gone and chance.random() < 0.5:
            # The same run once more, while what the first one left is being removed.
            self.incarnation -= 1

    def forget(self, run_ids: list[str]):
        self.gone.update(run_ids)
        self.ended = [script for script in self.ended if script.run_id not in self.gone]
        self.doomed = []
        self.seen = {c: told for c, told in self.seen.items() if told[0] not in self.gone}

    def settle(self, client):
        """Looks which runs are there; one whose deletion was not answered is there as a whole, or gone."""
        there = self.listed(client)
        assert not there & self.gone
        missing = [script.run_id for script in self.ended if script.run_id not in there]
        if self.fate == Fate.RETIRED:
            # Pruned at any time, the oldest first.
            assert missing == [script.run_id for script in self.ended[: len(missing)]]
            assert len(self.ended) - len(missing) >= min(len(self.ended), KEPT_RUNS - 1)
        else:
            assert set(missing) <= set(self.doomed), (missing, self.doomed)
            for script in self.ended:
                if script.run_id in self.doomed and script.run_id in there:
                    assert_stored(client, script, script.total)
        self.forget(missing)

    def listed(self, client) -> set[str]:
        page = client.query.ListRuns(v1.ListRunsRequest(project=self.project, page_size=1000))
        assert not page.next_page_token
        return {run.run_id for run in page.runs}

    def assert_gone(self, client):
        """Nothing is told of the runs that were deleted."""
        for run_id in self.gone:
            for call, request in [
                (client.query.GetRun, v1.GetRunRequest(run_id=run_id)),
                (client.query.ListAlerts, v1.ListAlertsRequest(run_id=run_id)),
                (client.admin.DeleteRun, v1.DeleteRunRequest(run_id=run_id)),
            ]:
                failure = failure_of(call, request)
                assert failure.code == grpc.StatusCode.NOT_FOUND, (run_id, failure)
