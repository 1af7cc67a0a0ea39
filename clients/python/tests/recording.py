"""A run whose reports stay here, for tests that need no collector."""

from __future__ import annotations

import gradwatch
from gradwatch.disabled import Disabled
from gradwatch.v1 import ingest_service_pb2, step_report_pb2


class Recording(Disabled):
    """Keeps what a run sends."""

    is_over = False

    def __init__(self, run: gradwatch.Run):
        self.registration: ingest_service_pb2.RegisterRunRequest | None = None
        self._run = run
        self._reports: list[step_report_pb2.StepReport] = []

    @property
    def reports(self) -> list[step_report_pb2.StepReport]:
        """All of them, with the step that was logged last."""
        self._run.settle()
        return self._reports

    def start(self, registration) -> None:
        assert self.registration is None, "registered twice"
        self.registration = registration

    def report(self, report, relative: bool) -> None:
        self._reports.append(report)

    @property
    def model(self):
        return self.registration.model

    def norms(self, index: int) -> dict[str, float]:
        """The gradient norms of a report, by tensor."""
        columns = self.reports[index].gradients
        ids = columns.tensor_ids or range(len(self.model.tensors))
        return {self.model.tensors[i].name: norm for i, norm in zip(ids, columns.norm, strict=True)}


def recorded(**options) -> tuple[gradwatch.Run, Recording]:
    """A run, and where its reports stay."""
    run = gradwatch.init(mode="disabled", **options)
    run._sink = recording = Recording(run)
    return run, recording
