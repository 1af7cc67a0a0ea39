"""Tells the callbacks of a run of its alerts, on a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from typing import Callable

from .alert import Alert
from .log import LOGGER

MAXIMUM_WAITING = 256
"""Changes that wait for callbacks."""


class Listeners:
    """Calls functions with each change of a run's alerts, one after the other, in the order in which they came.

    Who tells of a change never waits for them: it is put into a queue. When that is full, changes go of which the
    same alert has a newer one, and where there are none, the oldest.
    """

    def __init__(self, run_id: str):
        self._run_id = run_id
        self._lock = threading.RLock()
        self._condition = threading.Condition(self._lock)
        self._callbacks: list[Callable[[Alert], None]] = []
        self._thread: threading.Thread | None = None
        self._waiting: deque[Alert] = deque()
        self._left_out = 0
        self._is_calling = self._is_closed = False

    @property
    def is_here(self) -> bool:
        """Whether it is a callback that asks."""
        return self._thread is threading.current_thread()

    def add(self, callback: Callable[[Alert], None]) -> None:
        """Has a function called with what is told from now on."""
        with self._lock:
            self._callbacks.append(callback)
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="gradwatch-alerts", daemon=True)
                self._thread.start()

    def tell(self, alert: Alert) -> None:
        """Tells of a change, or that an alert began."""
        with self._lock:
            if self._thread is None or self._is_closed:
                return
            self._waiting.append(alert)
            if len(self._waiting) > MAXIMUM_WAITING:
                self._thin()
            self._condition.notify_all()

    def wait(self, timeout: float) -> None:
        """Waits until callbacks have returned from all that was told; a callback itself does not."""
        if self.is_here:
            return
        with self._lock:
            self._condition.wait_for(lambda: not self._waiting and not self._is_calling, timeout)

    def close(self, timeout: float) -> None:
        """Waits as `wait`, and says what was left out, with what would have been told now."""
        self.wait(timeout)
        with self._lock:
            self._is_closed = True
            self._left_out += len(self._waiting)
            self._waiting.clear()
            self._condition.notify_all()
            if count := self._left_out:
                changes = "1 change was" if count == 1 else f"{count} changes were"
                LOGGER.warning("run %s: on_alert: %s left out: callbacks were busy", self._run_id, changes)

    def _thin(self) -> None:
        count = len(self._waiting)
        newest: dict[str, Alert] = {}
        for alert in self._waiting:
            # It moves to where its newest change is.
            newest.pop(alert.id, None)
            newest[alert.id] = alert
        self._waiting = deque(list(newest.values())[-MAXIMUM_WAITING:])
        self._left_out += count - len(self._waiting)

    def _run(self) -> None:
        while True:
            with self._lock:
                self._is_calling = False
                self._condition.notify_all()
                self._condition.wait_for(lambda: self._waiting or self._is_closed)
                if not self._waiting:
                    return
                alert, callbacks = self._waiting.popleft(), list(self._callbacks)
                self._is_calling = True
            for callback in callbacks:
                try:
                    callback(alert)
                except BaseException:  # Also SystemExit, which would end this thread, and nothing else.
                    LOGGER.exception("run %s: on_alert: %r failed", self._run_id, callback)
