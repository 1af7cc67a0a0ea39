"""What stands in for delivery where nothing is sent."""

from __future__ import annotations

from .status import Status


class Disabled:
    """Takes everything and keeps nothing: the mode `disabled`, other ranks, and child processes."""

    is_over = True
    """Nothing is ever sent."""
    open_alerts: list = []
    """None: there is nobody to raise them."""
    status = Status("disabled")
    """Nothing is counted."""

    def start(self, registration) -> None:
        """Does nothing."""

    def report(self, report, relative: bool) -> None:
        """Does nothing."""

    def close(self, ending, timeout: float) -> Status:
        """Does nothing."""
        return self.status

    def settle(self, timeout: float) -> bool:
        """There is nothing to wait for."""
        return True
