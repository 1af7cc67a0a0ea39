"""Lightning: a callback that reports each optimizer step of `Trainer.fit`.

```python
trainer = Trainer(callbacks=[gradwatch.lightning.GradwatchCallback(project="lm")])
```
"""

from __future__ import annotations

from typing import Any

import torch

try:
    import lightning.pytorch as pl
except ImportError:
    import pytorch_lightning as pl

from .arrays import open_run
from .pytorch import Watcher, watch
from .run import Run

__all__ = ["GradwatchCallback"]


class GradwatchCallback(pl.Callback):
    """Watches the module that is fitted, and logs the loss of each optimizer step.

    Gradients are those before `gradient_clip_val`. With `accumulate_grad_batches` a step has the sum of the
    gradients, as the optimizer is given it, and the mean of the losses of its micro-batches.
    """

    def __init__(self, run: Run | None = None, *, watch: dict[str, Any] | None = None, **options: Any):
        """Reports to a run, by default the current one.

        If there is none, each fit has a run of its own, which ends with it as finished, failed or aborted: with
        `options` for `gradwatch.init`, and the module's hyper-parameters unless they have a `config`. `watch` are
        options of `gradwatch.watch`.
        """
        self._given, self._options, self._watch = run, options, watch or {}
        self._run: Run | None = None
        self._is_ours = False
        self._watcher: Watcher | None = None
        self._losses: list[torch.Tensor] = []
        self._steps = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begins the run, and follows the module."""
        options = self._options
        if "config" not in options and getattr(pl_module, "hparams", None):
            options = {"config": dict(pl_module.hparams), **options}
        if self._run is None or self._run.is_finished:
            self._run, self._is_ours = open_run(self._given, options)
        else:
            # A fit that was given up begins again.
            self._watcher.abandon()
        self._watcher = watch(self._run, pl_module, **self._watch)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Notes the number of the first step: a checkpoint was loaded by now."""
        self._steps = trainer.global_step
        self._losses.clear()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Logs the loss, if an optimizer stepped: `loss` of what the training step returned, or logged."""
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if isinstance(loss, torch.Tensor) and pl_module.automatic_optimization:
            # Lightning has divided it.
            loss = loss * trainer.accumulate_grad_batches
        loss = trainer.callback_metrics.get("loss", loss) if loss is None else loss
        if isinstance(loss, torch.Tensor) and loss.numel() == 1:
            self._losses.append(loss.detach().float().reshape(()))
        if self._run is None or trainer.global_step == self._steps:
            return
        self._steps = trainer.global_step
        losses, self._losses = self._losses, []
        numbers = {"loss": torch.stack(losses).mean()} if losses else {}
        # By hand, several optimizers may step on a batch, and each counts.
        step = self._steps - 1 if pl_module.automatic_optimization else None
        self._run.log(numbers, step=step, commit=True)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Ends the run, if it is the callback's own."""
        self._end(None)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Ends it as failed, or aborted."""
        self._end(exception)

    def _end(self, error: BaseException | None) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        self._watcher.close()
        if self._is_ours:
            run.__exit__(type(error) if error else None, error, None)
