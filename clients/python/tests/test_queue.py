"""The queue of reports: numbers, acks, and what goes when it is full."""

import random

from gradwatch.queue import ReportQueue
from gradwatch.v1 import step_report_pb2


def report(step: int, *, histogram: bool = False) -> step_report_pb2.StepReport:
    made = step_report_pb2.StepReport(step=step)
    made.losses.add(name="loss", value=1.0)
    if histogram:
        made.histograms.counts.extend(range(1000, 1100))
    return made


def steps(queue: ReportQueue) -> list[int]:
    return [entry.report.step for entry in queue]


def test_numbers_are_places():
    queue = ReportQueue(10, 1 << 20)
    for step in range(5):
        queue.append(report(step))
    assert [queue.next(3).sequence for _ in range(3)] == [1, 2, 3]
    assert queue.next(3) is None, "more under way than credits"
    assert queue.acknowledge(2) == 2
    assert [queue.next(3).sequence for _ in range(2)] == [4, 5]
    assert queue.next(3) is None, "nothing is left"
    assert steps(queue) == [2, 3, 4]


def test_an_ack_of_what_was_never_sent_is_told():
    queue = ReportQueue(10, 1 << 20)
    queue.append(report(0))
    assert queue.acknowledge(1) is None
    queue.next(1)
    assert queue.acknowledge(1) == 1
    assert queue.acknowledge(1) == 0, "an old ack changes nothing"


def test_a_new_stream_numbers_what_the_collector_lacks():
    queue = ReportQueue(10, 1 << 20)
    for step in range(6):
        queue.append(report(step))
    for _ in range(4):
        queue.next(10)
    assert queue.restart(3) == 3, "three became durable before the stream broke"
    assert [queue.next(10).sequence for _ in range(3)] == [4, 5, 6]
    assert steps(queue) == [3, 4, 5]
    # The collector lost its database: everything is numbered anew.
    assert queue.restart(0) == 0
    assert queue.next(10).sequence == 1
    # Another process of ours went on meanwhile.
    assert queue.restart(100) == 0
    assert queue.next(10).sequence == 101


def test_refused_reports_count_once_and_not_as_delivered():
    queue = ReportQueue(10, 1 << 20)
    for step in range(3):
        queue.append(report(step))
        queue.next(10)
    assert queue.refuse(2)
    assert not queue.refuse(2)
    assert not queue.refuse(9)
    assert queue.acknowledge(3) == 2


def test_going_back_sends_again():
    queue = ReportQueue(10, 1 << 20)
    for step in range(4):
        queue.append(report(step))
        queue.next(10)
    assert queue.go_back(3)
    assert queue.next(10).sequence == 3
    assert not queue.go_back(9)
    queue.acknowledge(2)
    assert not queue.go_back(1), "it is durable"


def test_histograms_go_first_the_oldest_before_the_others():
    size = report(0, histogram=True).ByteSize()
    queue = ReportQueue(1000, 4 * size)
    for step in range(4):
        queue.append(report(step, histogram=True))
    queue.append(report(4, histogram=True))
    queue.append(report(5, histogram=True))
    assert steps(queue) == [0, 1, 2, 3, 4, 5]
    assert [entry.report.HasField("histograms") for entry in queue] == [False] * 3 + [True] * 3
    assert (queue.stripped, queue.dropped) == (3, 0)
    assert queue.bytes <= 4 * size


def test_what_was_sent_keeps_its_histogram():
    size = report(0, histogram=True).ByteSize()
    queue = ReportQueue(1000, 2 * size)
    queue.append(report(0, histogram=True))
    queue.next(10)
    queue.append(report(1, histogram=True))
    queue.append(report(2, histogram=True))
    assert [entry.report.HasField("histograms") for entry in queue] == [True, False, False]


def test_then_every_other_report_goes_and_the_next_one_says_so():
    queue = ReportQueue(8, 1 << 20)
    for step in range(12):
        queue.append(report(step))
    assert steps(queue) == [1, 3, 5, 7, 8, 9, 10, 11]
    assert [entry.report.dropped_steps for entry in queue] == [1, 1, 1, 1, 0, 0, 0, 0]
    assert queue.dropped == 4


def test_what_is_left_covers_the_whole_time_and_tells_of_all_that_went():
    for seed in range(20):
        dice = random.Random(seed)
        queue = ReportQueue(50, 1 << 20)
        taken: list[step_report_pb2.StepReport] = []
        for step in range(1000):
            queue.append(report(step, histogram=dice.random() < 0.1))
            if dice.random() < 0.1 and (sent := queue.next(10)):
                taken.append(sent)
                queue.acknowledge(sent.sequence)
        rest = [entry.report for entry in queue]
        assert len(rest) in (49, 50)
        assert sum(1 + r.dropped_steps for r in [*taken, *rest]) == 1000, f"seed {seed}"
        assert queue.dropped == 1000 - len(taken) - len(rest)
        gaps = [r.dropped_steps for r in rest]
        assert max(gaps) <= 1000 / 50 * 4, f"seed {seed}: one gap of {max(gaps)} steps"


def test_everything_under_way_leaves_no_room_but_loses_nothing():
    queue = ReportQueue(3, 1 << 20)
    for step in range(3):
        queue.append(report(step))
        queue.next(10)
    queue.append(report(3))
    assert steps(queue) == [0, 1, 2]
    assert queue.dropped == 1
    queue.acknowledge(3)
    queue.append(report(4))
    assert [entry.report.dropped_steps for entry in queue] == [1]


def test_relative_steps_are_numbered_later():
    queue = ReportQueue(10, 1 << 20)
    queue.append(report(0), relative=True)
    queue.append(report(70))
    queue.number(100)
    queue.number(100)
    assert steps(queue) == [100, 70]
