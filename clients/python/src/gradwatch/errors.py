"""What this package raises."""


class GradwatchError(Exception):
    """Something that the caller can mend: a setting, a call in the wrong order, a run that cannot be taken up."""


def check_intervals(every: int, details_every: int) -> None:
    """Raises GradwatchError for an interval below what it may be: of reports 1, of details 0, for none."""
    if every < 1 or details_every < 0:
        raise GradwatchError(f"every, details_every: expected at least 1 and 0, found {every} and {details_every}")
