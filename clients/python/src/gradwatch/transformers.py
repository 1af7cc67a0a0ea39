"""Hugging Face: a callback that reports each optimizer step of `Trainer.train`.

```python
trainer = Trainer(model, args, train_dataset=data, callbacks=[gradwatch.transformers.GradwatchCallback()])
```
"""

from __future__ import annotations

import functools
import weakref
from typing import Any

import torch
import transformers

from .arrays import open_run
from .pytorch import Watcher, watch
from .run import Run

__all__ = ["GradwatchCallback"]


class GradwatchCallback(transformers.TrainerCallback):
    """Watches the model that is trained, and logs the loss of each optimizer step.

    The Trainer shows no callback a loss, except a mean every `logging_steps`, from which it leaves NaN out. So this
    one looks at what `Trainer.training_step` returns: what is logged is its sum over the micro-batches of a step, as
    the Trainer does. Of a trainer whose own `training_step` doesn't call the inherited one no loss is logged.
    """

    def __init__(self, run: Run | None = None, *, watch: dict[str, Any] | None = None, **options: Any):
        """Reports to a run, by default the current one.

        If there is none, each training has a run of its own, which ends with it as finished, failed or aborted: with
        `options` for `gradwatch.init`, and the training's arguments unless they have a `config`. `watch` are options
        of `gradwatch.watch`.
        """
        self._given, self._options, self._watch = run, options, watch or {}
        self._run: Run | None = None
        self._is_ours = False
        self._watcher: Watcher | None = None
        self._losses: list[torch.Tensor] = []
        _install()
        _CALLBACKS.add(self)

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **more: Any) -> None:
        """Begins the run, and follows the model."""
        if self._run is None or self._run.is_finished:
            self._run, self._is_ours = open_run(self._given, {"config": args.to_dict(), **self._options})
        else:
            # A training that was given up begins again, with smaller batches.
            self._watcher.abandon()
        self._watcher = watch(self._run, model, **self._watch)
        self._losses.clear()

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Logs the loss: an optimizer stepped."""
        if self._run is not None:
            losses, self._losses = self._losses, []
            numbers = {"loss": torch.stack(losses).sum()} if losses else {}
            self._run.log(numbers, step=state.global_step - 1, commit=True)

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Ends the run, if it is the callback's own."""
        self._end(None)

    def _did_step(self, loss: Any) -> None:
        """Takes the loss of a micro-batch."""
        if self._run is not None and isinstance(loss, torch.Tensor) and loss.numel() == 1:
            self._losses.append(loss.detach().float().reshape(()))

    def _end(self, error: BaseException | None) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        self._watcher.close()
        if self._is_ours:
            run.__exit__(type(error) if error else None, error, None)


_CALLBACKS: weakref.WeakSet[GradwatchCallback] = weakref.WeakSet()


def _callbacks(trainer: Any) -> list[GradwatchCallback]:
    """Those of our callbacks that a trainer has."""
    own = trainer.callback_handler.callbacks
    return [callback for callback in list(_CALLBACKS) if any(callback is other for other in own)]


@functools.cache
def _install() -> None:
    """Puts ourselves in front of two methods of Trainer that its callbacks are told nothing of."""
    training_step, train = transformers.Trainer.training_step, transformers.Trainer.train

    @functools.wraps(training_step)
    def look_at_step(self, *arguments, **options):
        loss = training_step(self, *arguments, **options)
        for callback in _callbacks(self):
            callback._did_step(loss)
        return loss

    @functools.wraps(train)
    def look_at_training(self, *arguments, **options):
        try:
            return train(self, *arguments, **options)
        except BaseException as error:
            for callback in _callbacks(self):
                callback._end(error)
            raise

    transformers.Trainer.training_step = look_at_step
    transformers.Trainer.train = look_at_training
