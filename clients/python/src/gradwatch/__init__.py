"""Gradwatch: which layer of a network is sick, since which step, why, and what to try first.

```python
run = gradwatch.init(project="lm", config=config)
gradwatch.watch(model, optimizer)
for batch in data:
    ...                       # forward, backward, optimizer.step()
    run.log(loss=loss)
```
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

from .alert import Alert, Remedy
from .errors import GradwatchError
from .run import Run
from .settings import Settings
from .status import Status

__all__ = [
    "Alert", "GradwatchError", "Remedy", "Run", "Settings", "Status", "alerts", "finish", "init", "log",
    "on_alert", "run", "watch",
]  # fmt: skip
__version__ = "0.1.0"

run: Run | None = None
"""The run of the last `init`."""


def init(
    project: str | None = None,
    *,
    run_id: str | None = None,
    name: str = "",
    tags: Sequence[str] = (),
    config: object = None,
    mode: str | None = None,
    address: str | None = None,
    dir: str | None = None,
    token: str | None = None,
    ca_cert: str | None = None,
    client_cert: str | None = None,
    client_key: str | None = None,
    buffered_reports: int | None = None,
    buffered_bytes: int | None = None,
    all_ranks: bool = False,
    finish_timeout: float = 30.0,
    reinit: str = "finish_previous",
) -> Run:
    """Begins a run, or goes on with the one of that id; makes it the current one.

    Never waits for a collector, except for the end of the run that was the current one.

    - project: groups runs.
    - run_id: chosen by you, or made up; with the id of an earlier run, that run goes on.
    - name, tags, config: for people. A configuration may be nested.
    - mode: `online`; `offline`: to a file in `dir`, for `gradwatch sync`; `disabled`.
    - address, token, ca_cert, client_cert, client_key, buffered_reports, buffered_bytes: see `Settings`.
    - all_ranks: of a job of many processes each sends its own; else only rank 0 does, and elsewhere all calls
      do nothing. With data parallelism all ranks have the same gradients, but not the same activations.
    - finish_timeout: how many seconds the end of the run, or of the process, waits for delivery.
    - reinit: what becomes of the current run. `finish_previous`: it is finished, and its model watched no more, so that
      a notebook's cell may be run again; `create_new`: it goes on beside this one, as of a GAN's two networks.

    Whatever is not given is taken from GRADWATCH_PROJECT, GRADWATCH_ADDRESS and so on, then by default.

    Raises GradwatchError for a setting that is none, and in a process forked from one that has had a run.
    """
    global run
    if reinit not in ("finish_previous", "create_new"):
        raise GradwatchError(f"reinit: expected one of finish_previous, create_new, found {reinit!r}")
    settings = Settings.resolve(
        project=project,
        run_id=run_id,
        mode=mode,
        address=address,
        dir=dir,
        token=token,
        ca_cert=ca_cert,
        client_cert=client_cert,
        client_key=client_key,
        buffered_reports=buffered_reports,
        buffered_bytes=buffered_bytes,
    )
    if run is not None and reinit == "finish_previous":
        run._finish_as_it_went()
    run = Run(
        settings,
        name=name,
        tags=tuple(tags),
        config=config,
        all_ranks=all_ranks,
        finish_timeout=finish_timeout,
    )
    return run


def watch(model: Any, optimizer: Any = None, **options: Any):
    """Has a PyTorch model's gradients reported at each step of its optimizer; see `gradwatch.pytorch.watch`."""
    from . import pytorch

    return pytorch.watch(_current(), model, optimizer, **options)


def log(*arguments: Any, **losses: Any) -> None:
    """`Run.log` of the current run."""
    _current().log(*arguments, **losses)


def alerts() -> list[Alert]:
    """`Run.alerts` of the current run."""
    return _current().alerts()


def on_alert(callback: Callable[[Alert], None]) -> Callable[[Alert], None]:
    """`Run.on_alert` of the current run."""
    return _current().on_alert(callback)


def finish(status: str = "finished", reason: str = "", timeout: float | None = None) -> Status:
    """`Run.finish` of the current run."""
    return _current().finish(status, reason, timeout)


def _current() -> Run:
    if run is None:
        raise GradwatchError("no run: call gradwatch.init first")
    return run
