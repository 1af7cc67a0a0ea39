"""What this package raises."""


class GradwatchError(Exception):
    """Something that the caller can mend: a setting, a call in the wrong order, a run that cannot be taken up."""
