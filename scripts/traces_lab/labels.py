"""Labels in the form of the shared traces: what must fire and when, what may, what must not."""

from dataclasses import dataclass, field

# The identifiers that the shared labels judge, in their order.
RULES = """vanishing_gradient exploding_gradient non_finite_gradient non_finite_loss dead_relu
saturated_activation gradient_spike uniformly_small_gradient loss_plateau loss_spike loss_divergence
loss_oscillation clipping_every_step update_ratio_too_high update_ratio_too_low unchanged_weights
poor_initialization rnn_vanishing_through_time weight_jump""".split()


@dataclass
class Label:
    """The truth about a run; `must` maps a rule to what `due` gives."""

    verdict: str
    must: dict = field(default_factory=dict)
    may: list = field(default_factory=list)
    note: str = ""

    def __post_init__(self):
        self.may = sorted(set(self.may))

    def entry(self, scenario):
        """The label as the traces carry it."""
        known = set(self.must) | set(self.may)
        return {
            "verdict": self.verdict,
            "expected": sorted(self.must) or ["healthy"],
            "must": self.must,
            "may": self.may,
            "must_not": [rule for rule in RULES if rule not in known],
            "note": self.note,
            "scenario": scenario,
        }


def due(earliest, latest, layers=(), alt=()):
    """When a diagnosis must have fired, and where; no layers means anywhere."""
    return {
        "layers": list(layers),
        "earliest": int(earliest),
        "latest": int(latest),
        "alt": list(alt),
    }


def healthy(note="", may=()):
    """A run without a fault."""
    return Label("healthy", may=list(may), note=note)


def sick(must, may=(), note=""):
    return Label("sick", must, list(may), note)


def transient(must, may=(), note=""):
    return Label("transient", must, list(may), note)


def mitigated(must, may=(), note=""):
    return Label("mitigated", must, list(may), note)


# Above these ratios to the recent median a spike is in the numbers, whatever made it.
NATURAL_SPIKES = {"loss_spike": ("loss", 6.0), "gradient_spike": ("gn", 8.0)}


def with_natural(label, seen, rows):
    """The label, with what a run shows without a fault added to what may fire.

    `rows` is the size of a batch: a unit that is zero on a few rows only says nothing.
    """
    found = [
        rule
        for rule, (column, ratio) in NATURAL_SPIKES.items()
        if rule not in label.must and seen.excursion(column) >= ratio
    ]
    if label.verdict == "healthy" and seen.at_a_floor():
        found.append("loss_plateau")
    if "dead_relu" not in label.must and rows > 4 and seen.dead_share() >= 0.4:
        found.append("dead_relu")
    return Label(label.verdict, label.must, label.may + found, label.note)


class Seen:
    """What a label may look at: the recorded lines."""

    def __init__(self, lines):
        self.lines = lines
        self.steps = [line["s"] for line in lines]

    def excursion(self, column, window=20):
        """The largest ratio of a step's number to the median of the `window` lines before."""
        worst, values = 1.0, []
        for line in self.lines:
            value = line[column]
            if isinstance(value, str) or line.get("skipped"):
                continue
            recent = sorted(values[-window:])
            if len(values) >= window and recent[window // 2] > 0:
                worst = max(worst, value / recent[window // 2])
            values.append(value)
        return worst

    def at_a_floor(self):
        """Whether the loss ends flat (3 %) and above a third of where it began."""
        losses = [line["loss"] for line in self.lines if not isinstance(line["loss"], str)]
        quarter = max(1, len(losses) // 4)
        first, before, last = (
            sorted(part)[len(part) // 2]
            for part in (losses[:5], losses[-2 * quarter : -quarter], losses[-quarter:])
        )
        return last > 0.35 * first and abs(last - before) < 0.03 * abs(before)

    def dead_share(self):
        """The median over the later half of the dead share of the worst activation."""
        shares = []
        for line in self.lines[len(self.lines) // 2 :]:
            found = [
                a[4] for a in line["a"] if a and a[4] is not None and not isinstance(a[4], str)
            ]
            shares.append(max(found, default=0.0))
        return sorted(shares)[len(shares) // 2]

    def first_bad(self, column):
        """The first recorded step where `loss` or `gn` is not finite; None if there is none."""
        for line in self.lines:
            if isinstance(line[column], str) and not line.get("skipped"):
                return line["s"]
        return None
