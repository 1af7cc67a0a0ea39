"""Heatmaps: the same numbers as the timelines, in a grid; and pictures of them."""

import math
import subprocess
from pathlib import Path

from client import failure_of
from process import binary, serve
from reports import registration, report
from wire import v1


def parts_of(client, **request):
    return list(client.query.GetHeatmap(v1.GetHeatmapRequest(run_id="run", **request)))


def heatmap(collector, *arguments) -> list[str]:
    cli = Path(binary()).with_name("collector-cli")
    command = [cli, "query", "heatmap", "run", *arguments, "--server", collector.target]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


def test_a_heatmap_has_what_the_timelines_have(tmp_path):
    with serve(tmp_path) as collector, collector.client() as client:
        client.register(registration("run", layers=3))
        for first in range(1, 1000, 100):
            client.report("run", *[report(n, layers=3) for n in range(first, first + 100)])
        for statistic, column in [("MAX", "max"), ("MIN", "min"), ("MEAN", "mean"), ("LAST", "last")]:
            parts = parts_of(
                client, max_columns=7, statistic=getattr(v1, f"HEATMAP_STATISTIC_{statistic}")
            )
            grid = parts[0].columns
            rows = [row for part in parts for row in part.rows]
            series = list(
                client.query.GetLayerTimeline(
                    v1.GetLayerTimelineRequest(run_id="run", max_points=7)
                )
            )
            assert [row.tensor_name for row in rows] == [one.tensor_name for one in series]
            assert len(grid.first_steps) == 7 and grid.last_step == 999
            for row, one in zip(rows, series):
                assert list(grid.first_steps) == list(one.points.steps)
                assert list(row.counts) == list(one.points.count) and sum(row.counts) == 1000
                for cell, value in zip(row.values, getattr(one.points, column)):
                    same = math.isnan(cell) and math.isnan(value)
                    assert same or cell == value or math.isclose(cell, value, rel_tol=1e-6)
        failure = failure_of(parts_of, client, max_columns=4097)
        assert failure.code.name == "INVALID_ARGUMENT" and "at most 4096" in failure.message
        picture = heatmap(collector, "-o", "table")
        assert any("largest gradient norm" in line for line in picture), picture
        lines = heatmap(collector, "-o", "tsv", "--columns", "7")
        assert lines[0].split("\t")[:3] == ["layer", "tensor", "first_step"]
        assert len(lines) == 1 + 7 * len(rows)
