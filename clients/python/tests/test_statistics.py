"""Statistics against a plain computation in float64, tensor by tensor."""

import math

import pytest

torch = pytest.importorskip("torch")

from gradwatch.pytorch import flat as flats  # noqa: E402
from gradwatch.pytorch import rows, statistics  # noqa: E402
from gradwatch.pytorch.flat import Flat  # noqa: E402
from gradwatch.pytorch.histograms import add_histograms  # noqa: E402
from gradwatch.pytorch.readout import Readout  # noqa: E402
from gradwatch.v1 import step_report_pb2  # noqa: E402

FIELDS = ("norm", "mean", "mean_abs", "std", "min", "max")
COUNTS = ("zero", "nan", "positive_infinity", "negative_infinity")


def measured(tensors, **options) -> statistics.Numbers:
    """What is measured of tensors at once, copied."""
    measurement = statistics.measure(tensors, **options)
    return measurement.numbers(measurement.values)


def plain(tensor) -> dict[str, float]:
    """Every statistic by its definition."""
    values = tensor.to_dense() if tensor.layout != torch.strided else tensor
    values = values.detach().reshape(-1)
    values = (torch.view_as_real(values).reshape(-1) if values.is_complex() else values).double()
    finite = values[values.isfinite()]
    found = {
        "zero": (finite == 0).sum().item(),
        "nan": values.isnan().sum().item(),
        "positive_infinity": (values == math.inf).sum().item(),
        "negative_infinity": (values == -math.inf).sum().item(),
    }
    if finite.numel() == 0:
        return found | dict.fromkeys(FIELDS, math.nan)
    largest = finite.abs().max().item() or 1.0
    return found | {
        "norm": (finite / largest).square().sum().sqrt().item() * largest,
        "mean": finite.mean().item(),
        "mean_abs": finite.abs().mean().item(),
        "std": (finite / largest).std(correction=0).item() * largest,
        "min": finite.min().item(),
        "max": finite.max().item(),
    }


def check(tensor, found) -> None:
    expected = plain(tensor)
    for name in COUNTS:
        assert getattr(found, name) == expected[name], name
    for name in FIELDS:
        # A mean of both signs is a difference: it is as good as the sum that it comes from.
        scale = expected["mean_abs"] if name == "mean" else expected[name]
        close = abs(getattr(found, name) - expected[name]) <= 1e-5 * abs(scale)
        both_nan = math.isnan(getattr(found, name)) and math.isnan(expected[name])
        assert close or both_nan, (name, getattr(found, name), expected[name])


def special(**values):
    """A normal tensor with some elements replaced."""
    tensor = torch.randn(1000)
    for place, value in values.values():
        tensor[place] = value
    return tensor


TENSORS = {
    "normal": lambda: torch.randn(300, 70),
    "large": lambda: torch.randn(300_000),
    "large and off centre": lambda: torch.rand(280_000) + 1,
    "all equal": lambda: torch.full((1000,), 0.1),
    "nearly equal": lambda: 1 + 1e-4 * torch.randn(5000),
    "one element": lambda: torch.tensor(3.0),
    "empty": lambda: torch.empty(0),
    "zeros": lambda: torch.zeros(100),
    "some zeros": lambda: torch.randn(1000) * (torch.rand(1000) < 0.5),
    "negative zero": lambda: torch.tensor([-0.0, 1.0]),
    "vanished": lambda: torch.randn(1000) * 1e-30,
    "subnormal": lambda: torch.full((10,), 1e-42),
    "huge": lambda: torch.randn(1000) * 1e30,
    "one NaN": lambda: special(a=(7, math.nan)),
    "infinities": lambda: special(a=(7, math.inf), b=(8, -math.inf), c=(9, -math.inf)),
    "all NaN": lambda: torch.full((10,), math.nan),
    "bf16": lambda: torch.randn(1000).bfloat16(),
    "fp16": lambda: torch.randn(1000).half() * 1e-4,
    "float64": lambda: torch.randn(1000, dtype=torch.float64),
    "float64, tiny": lambda: torch.randn(1000, dtype=torch.float64) * 1e-200,
    "float64, huge": lambda: torch.randn(1000, dtype=torch.float64) * 1e200,
    "transposed": lambda: torch.randn(50, 60).t(),
    "channels last": lambda: torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last),
    "expanded": lambda: torch.tensor(2.0).expand(10, 10),
    "complex": lambda: torch.randn(100, dtype=torch.complex64),
    "large, two NaN": lambda: torch.cat([special(a=(7, math.nan)), torch.randn(300_000), special(a=(8, math.nan))]),
    "sparse, all NaN": lambda: torch.sparse_coo_tensor([[1, 5]], torch.full((2, 4), math.nan), (100, 4)),
    "sparse": lambda: torch.sparse_coo_tensor([[1, 5, 5]], torch.randn(3, 4), (100, 4)),
}  # fmt: skip


@pytest.fixture(params=["cpu", "as on a device", "as on one without doubles"])
def place(request, monkeypatch):
    """The ways to measure; those of devices run here on the CPU."""
    if request.param != "cpu":
        monkeypatch.setattr(flats, "is_on_cpu", lambda tensor: False)
    if "without doubles" in request.param:
        monkeypatch.setattr(flats, "wide", lambda device: torch.float32)
    return request.param


@pytest.mark.parametrize("name", TENSORS)
def test_statistics_are_those_of_the_definition(name, place):
    torch.manual_seed(1)
    tensor = TENSORS[name]()
    flat = Flat.of(tensor)
    if "without doubles" in place:
        if flat.elements.dtype == torch.float64 or name == "subnormal":
            pytest.skip("not in floats")
        assert statistics.measure([flat], details=True, norms_of=[flat]).values.dtype == torch.float32
        assert statistics.measure([flat], details=False).values.dtype == torch.float32
    check(tensor, measured([flat], details=True).statistics[0])
    expected, looks = plain(tensor), set()
    for is_careful in (False, True):
        found = measured([flat], details=False, is_careful=is_careful, norms_of=[flat])
        for norm in (found.statistics[0].norm, found.norms[0]):
            assert norm == pytest.approx(expected["norm"], rel=1e-5, nan_ok=True)
        for count in COUNTS[1:]:
            assert getattr(found.statistics[0], count) == expected[count]
        assert found.patterns is None
        looks.add(found.takes_two_looks)
    assert len(looks) == 1, "measured carefully, it is known whether it could have been quickly"


@pytest.mark.parametrize("name", TENSORS)
def test_histograms_count_each_element_in_its_octave(name, place):
    torch.manual_seed(1)
    tensor = TENSORS[name]()
    flat = Flat.of(tensor)
    report = step_report_pb2.StepReport()
    add_histograms(report, [5], measured([flat], details=True).patterns)
    column = report.histograms
    counts = list(column.counts)
    split = column.positive_length[0]
    found = {(1, column.positive_offset[0] + i): n for i, n in enumerate(counts[:split]) if n}
    found |= {(-1, column.negative_offset[0] + i): n for i, n in enumerate(counts[split:]) if n}

    values = flat.elements[flat.elements.isfinite()].double()
    least = 2.0**-1022 if flat.elements.dtype == torch.float64 else 2.0**-126
    expected: dict[tuple[int, int], int] = {}
    for value in values[values.abs() >= least].tolist():
        bucket = (1 if value > 0 else -1, math.frexp(abs(value))[1] - 1)
        expected[bucket] = expected.get(bucket, 0) + 1
    assert found == expected
    assert column.zero_count[0] == flat.zeros + (values.abs() < least).sum().item()
    non_finite = flat.elements.numel() - values.numel()
    assert sum(counts) + column.zero_count[0] + non_finite == flat.count
    assert len(counts) == split + column.negative_length[0]
    assert column.scale == 0 and list(column.tensor_ids) == [5]


@pytest.mark.parametrize("name", TENSORS)
def test_careful_statistics_are_the_same_in_pieces(name, monkeypatch):
    torch.manual_seed(1)
    monkeypatch.setattr(rows, "_layout", lambda elements: (7, 35))
    tensor = TENSORS[name]()
    tensor = tensor[:500] if tensor.dim() == 1 and tensor.layout == torch.strided else tensor
    check(tensor, statistics.exact([Flat.of(tensor)], details=True)[0])


def test_many_tensors_at_once_keep_their_places(place):
    torch.manual_seed(1)
    tensors = [torch.randn(size) * 10.0**size for size in range(1, 20)] + [torch.randn(600_000)]
    tensors[3][1], tensors[7][:2] = math.nan, math.inf
    flats = [Flat.of(tensor) for tensor in tensors]
    numbers = measured(flats, details=True, norms_of=flats[::-1])
    for tensor, found in zip(tensors, numbers.statistics, strict=True):
        check(tensor, found)
    expected = [plain(tensor)["norm"] for tensor in reversed(tensors)]
    assert numbers.norms == pytest.approx(expected, rel=1e-5)


def test_numbers_are_those_of_when_they_were_added():
    found, readout, number = [], Readout(), torch.tensor(0.5, dtype=torch.float64)
    readout.add_numbers([number, number], found.extend)
    readout.add_numbers([torch.tensor(7)], found.extend)
    number.zero_()
    readout.read()
    readout.read()
    assert found == [0.5, 0.5, 7]


def test_counts_are_exact_where_sums_are_in_floats(monkeypatch):
    monkeypatch.setattr(flats, "is_on_cpu", lambda tensor: False)
    monkeypatch.setattr(flats, "wide", lambda device: torch.float32)
    count = (1 << 24) + 1
    numbers = measured([Flat(torch.ones(count), zeros=count), Flat(torch.full((count,), math.nan))], details=True)
    assert [row.zero for row in numbers.statistics] == [count, 0]
    assert [row.nan for row in numbers.statistics] == [0, count]
    assert numbers.patterns[0, [0, 127]].tolist() == [count, count]


def test_tensors_smaller_than_a_row_count_as_one_in_a_batch(monkeypatch):
    batches = list(rows._batches([Flat(torch.ones(1))] * 300))
    assert [batch.numel() for batch in batches] == [1 << 16, 1 << 16, 44 << 9], "which fit into a core's cache"
    monkeypatch.setattr(flats, "is_on_cpu", lambda tensor: False)
    batches = list(rows._batches([Flat(torch.ones(1))] * 2500))
    assert [batch.numel() for batch in batches] == [1 << 22, 1 << 22, 452 << 12]


def test_norms_of_floats_on_the_cpu_are_had_without_rows(monkeypatch):
    found, original = [], statistics.exact
    monkeypatch.setattr(statistics, "exact", lambda flats, details: found.extend(flats) or original(flats, details))
    tensors = [torch.zeros(9), torch.full((9,), 1e-30), torch.tensor([1.0, math.nan]), torch.tensor([3.0, math.inf])]
    flats = [Flat.of(tensor) for tensor in tensors]
    numbers = measured(flats, details=False, norms_of=flats)
    assert [row.norm for row in numbers.statistics] == numbers.norms == pytest.approx([0, 3e-30, 1, 3], rel=1e-6, abs=0)
    assert [row.nan for row in numbers.statistics] == [0, 0, 1, 0]
    assert [row.positive_infinity for row in numbers.statistics] == [0, 0, 0, 1]
    assert not found
    measured(flats, details=True, norms_of=flats)
    assert len(found) == 4, "the norms are had without them also then"


def test_only_pinned_memory_is_copied_without_waiting(monkeypatch):
    found, original = [], torch.Tensor.to
    monkeypatch.setattr(torch.Tensor, "to", lambda *some, **more: found.append(more) or original(*some, **more))
    rows._moved(torch.ones(2), torch.device("meta"))
    assert found == [{}]


def test_what_is_left_to_be_conjugated_or_negated_is_done():
    tensor = torch.randn(10, dtype=torch.complex64).conj()
    for lazy in (tensor, tensor.imag):
        check(lazy.resolve_conj().resolve_neg(), measured([Flat.of(lazy)], details=True).statistics[0])
