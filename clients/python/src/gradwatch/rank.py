"""Which process of a job this is."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Rank:
    """A process's place among those of its job."""

    index: int | None
    """From 0; `None`: there is only one process, or nobody says."""
    world_size: int | None
    """The number of processes; `None`: nobody says."""

    @staticmethod
    def here() -> Rank:
        """This process's, by torch.distributed if that is in use, else by torchrun's or Slurm's variables."""
        if distributed := _distributed():
            return Rank(distributed.get_rank(), distributed.get_world_size())
        for index, size in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")):
            try:
                return Rank(int(os.environ[index]), int(os.environ[size]))
            except (KeyError, ValueError):
                pass
        return Rank(None, None)

    def shared(self, text: str) -> str | None:
        """Rank 0's text, on all ranks; `None` if they have no means to tell each other."""
        if self.index is None:
            return text
        if distributed := _distributed():
            box = [text]
            distributed.broadcast_object_list(box, src=0)
            return box[0]
        return None


def _distributed():
    """torch.distributed, if somebody imported and initialized it."""
    module = sys.modules.get("torch.distributed")
    return module if module and module.is_available() and module.is_initialized() else None
