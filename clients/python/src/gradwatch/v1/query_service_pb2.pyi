from google.protobuf import timestamp_pb2 as _timestamp_pb2
from gradwatch.v1 import alert_pb2 as _alert_pb2
from gradwatch.v1 import comparison_pb2 as _comparison_pb2
from gradwatch.v1 import diagnosis_pb2 as _diagnosis_pb2
from gradwatch.v1 import model_pb2 as _model_pb2
from gradwatch.v1 import run_pb2 as _run_pb2
from gradwatch.v1 import step_report_pb2 as _step_report_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
HEATMAP_STATISTIC_LAST: HeatmapStatistic
HEATMAP_STATISTIC_MAX: HeatmapStatistic
HEATMAP_STATISTIC_MEAN: HeatmapStatistic
HEATMAP_STATISTIC_MIN: HeatmapStatistic
HEATMAP_STATISTIC_UNSPECIFIED: HeatmapStatistic
METRIC_ACTIVATION_DEAD_UNIT_FRACTION: Metric
METRIC_ACTIVATION_MEAN: Metric
METRIC_ACTIVATION_SATURATED_FRACTION: Metric
METRIC_ACTIVATION_STD: Metric
METRIC_ACTIVATION_ZERO_FRACTION: Metric
METRIC_GRADIENT_MAX: Metric
METRIC_GRADIENT_MEAN: Metric
METRIC_GRADIENT_MEAN_ABS: Metric
METRIC_GRADIENT_MIN: Metric
METRIC_GRADIENT_NAN_COUNT: Metric
METRIC_GRADIENT_NEGATIVE_INFINITY_COUNT: Metric
METRIC_GRADIENT_NORM: Metric
METRIC_GRADIENT_POSITIVE_INFINITY_COUNT: Metric
METRIC_GRADIENT_STD: Metric
METRIC_GRADIENT_ZERO_COUNT: Metric
METRIC_PARAMETER_NORM: Metric
METRIC_UNSPECIFIED: Metric
METRIC_UPDATE_NORM: Metric
STEP_METRIC_GLOBAL_NORM: StepMetric
STEP_METRIC_LEARNING_RATE: StepMetric
STEP_METRIC_LOSS: StepMetric
STEP_METRIC_LOSS_SCALE: StepMetric
STEP_METRIC_UNSPECIFIED: StepMetric

class AnnotationEntry(_message.Message):
    __slots__ = ["annotation", "producer_id", "received_at", "step"]
    ANNOTATION_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    annotation: _step_report_pb2.StepAnnotation
    producer_id: str
    received_at: _timestamp_pb2.Timestamp
    step: int
    def __init__(self, producer_id: _Optional[str] = ..., step: _Optional[int] = ..., received_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., annotation: _Optional[_Union[_step_report_pb2.StepAnnotation, _Mapping]] = ...) -> None: ...

class CompareRunsRequest(_message.Message):
    __slots__ = ["log_ratio_bound", "max_layers", "max_points", "metric", "parting_steps", "producer_a", "producer_b", "run_a", "run_b", "selector", "steps"]
    LOG_RATIO_BOUND_FIELD_NUMBER: _ClassVar[int]
    MAX_LAYERS_FIELD_NUMBER: _ClassVar[int]
    MAX_POINTS_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    PARTING_STEPS_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_A_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_B_FIELD_NUMBER: _ClassVar[int]
    RUN_A_FIELD_NUMBER: _ClassVar[int]
    RUN_B_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    log_ratio_bound: float
    max_layers: int
    max_points: int
    metric: Metric
    parting_steps: int
    producer_a: str
    producer_b: str
    run_a: str
    run_b: str
    selector: Selector
    steps: StepRange
    def __init__(self, run_a: _Optional[str] = ..., run_b: _Optional[str] = ..., producer_a: _Optional[str] = ..., producer_b: _Optional[str] = ..., metric: _Optional[_Union[Metric, str]] = ..., selector: _Optional[_Union[Selector, _Mapping]] = ..., steps: _Optional[_Union[StepRange, _Mapping]] = ..., log_ratio_bound: _Optional[float] = ..., parting_steps: _Optional[int] = ..., max_points: _Optional[int] = ..., max_layers: _Optional[int] = ...) -> None: ...

class CompareRunsResponse(_message.Message):
    __slots__ = ["comparison", "layer"]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    comparison: _comparison_pb2.RunComparison
    layer: LayerComparison
    def __init__(self, comparison: _Optional[_Union[_comparison_pb2.RunComparison, _Mapping]] = ..., layer: _Optional[_Union[LayerComparison, _Mapping]] = ...) -> None: ...

class DiagnoseRunRequest(_message.Message):
    __slots__ = ["run_id"]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class DiagnoseRunResponse(_message.Message):
    __slots__ = ["diagnosis"]
    DIAGNOSIS_FIELD_NUMBER: _ClassVar[int]
    diagnosis: _diagnosis_pb2.Diagnosis
    def __init__(self, diagnosis: _Optional[_Union[_diagnosis_pb2.Diagnosis, _Mapping]] = ...) -> None: ...

class ExplicitHistogram(_message.Message):
    __slots__ = ["bounds", "counts"]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    bounds: _containers.RepeatedScalarFieldContainer[float]
    counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, bounds: _Optional[_Iterable[float]] = ..., counts: _Optional[_Iterable[int]] = ...) -> None: ...

class ExponentialHistogram(_message.Message):
    __slots__ = ["negative_counts", "negative_offset", "positive_counts", "positive_offset", "scale", "zero_count"]
    NEGATIVE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_OFFSET_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_OFFSET_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    ZERO_COUNT_FIELD_NUMBER: _ClassVar[int]
    negative_counts: _containers.RepeatedScalarFieldContainer[int]
    negative_offset: int
    positive_counts: _containers.RepeatedScalarFieldContainer[int]
    positive_offset: int
    scale: int
    zero_count: int
    def __init__(self, scale: _Optional[int] = ..., zero_count: _Optional[int] = ..., positive_offset: _Optional[int] = ..., positive_counts: _Optional[_Iterable[int]] = ..., negative_offset: _Optional[int] = ..., negative_counts: _Optional[_Iterable[int]] = ...) -> None: ...

class GetHeatmapRequest(_message.Message):
    __slots__ = ["max_columns", "metric", "producer_id", "run_id", "selector", "statistic", "steps"]
    MAX_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    STATISTIC_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    max_columns: int
    metric: Metric
    producer_id: str
    run_id: str
    selector: Selector
    statistic: HeatmapStatistic
    steps: StepRange
    def __init__(self, run_id: _Optional[str] = ..., producer_id: _Optional[str] = ..., selector: _Optional[_Union[Selector, _Mapping]] = ..., metric: _Optional[_Union[Metric, str]] = ..., steps: _Optional[_Union[StepRange, _Mapping]] = ..., max_columns: _Optional[int] = ..., statistic: _Optional[_Union[HeatmapStatistic, str]] = ...) -> None: ...

class GetHeatmapResponse(_message.Message):
    __slots__ = ["columns", "rows"]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    columns: HeatmapColumns
    rows: _containers.RepeatedCompositeFieldContainer[HeatmapRow]
    def __init__(self, columns: _Optional[_Union[HeatmapColumns, _Mapping]] = ..., rows: _Optional[_Iterable[_Union[HeatmapRow, _Mapping]]] = ...) -> None: ...

class GetHistogramsRequest(_message.Message):
    __slots__ = ["max_points", "producer_id", "run_id", "selector", "steps"]
    MAX_POINTS_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    max_points: int
    producer_id: str
    run_id: str
    selector: Selector
    steps: StepRange
    def __init__(self, run_id: _Optional[str] = ..., producer_id: _Optional[str] = ..., selector: _Optional[_Union[Selector, _Mapping]] = ..., steps: _Optional[_Union[StepRange, _Mapping]] = ..., max_points: _Optional[int] = ...) -> None: ...

class GetHistogramsResponse(_message.Message):
    __slots__ = ["points", "producer_id", "tensor_id", "tensor_name"]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    TENSOR_ID_FIELD_NUMBER: _ClassVar[int]
    TENSOR_NAME_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[HistogramPoint]
    producer_id: str
    tensor_id: int
    tensor_name: str
    def __init__(self, tensor_id: _Optional[int] = ..., tensor_name: _Optional[str] = ..., producer_id: _Optional[str] = ..., points: _Optional[_Iterable[_Union[HistogramPoint, _Mapping]]] = ...) -> None: ...

class GetLayerTimelineRequest(_message.Message):
    __slots__ = ["max_points", "metric", "producer_id", "run_id", "selector", "steps"]
    MAX_POINTS_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    max_points: int
    metric: Metric
    producer_id: str
    run_id: str
    selector: Selector
    steps: StepRange
    def __init__(self, run_id: _Optional[str] = ..., producer_id: _Optional[str] = ..., selector: _Optional[_Union[Selector, _Mapping]] = ..., metric: _Optional[_Union[Metric, str]] = ..., steps: _Optional[_Union[StepRange, _Mapping]] = ..., max_points: _Optional[int] = ...) -> None: ...

class GetLayerTimelineResponse(_message.Message):
    __slots__ = ["layer_id", "layer_name", "points", "producer_id", "tensor_id", "tensor_name"]
    LAYER_ID_FIELD_NUMBER: _ClassVar[int]
    LAYER_NAME_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    TENSOR_ID_FIELD_NUMBER: _ClassVar[int]
    TENSOR_NAME_FIELD_NUMBER: _ClassVar[int]
    layer_id: int
    layer_name: str
    points: SeriesColumns
    producer_id: str
    tensor_id: int
    tensor_name: str
    def __init__(self, tensor_id: _Optional[int] = ..., tensor_name: _Optional[str] = ..., layer_id: _Optional[int] = ..., layer_name: _Optional[str] = ..., producer_id: _Optional[str] = ..., points: _Optional[_Union[SeriesColumns, _Mapping]] = ...) -> None: ...

class GetLossTimelineRequest(_message.Message):
    __slots__ = ["max_points", "metric", "name", "producer_id", "run_id", "steps"]
    MAX_POINTS_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    max_points: int
    metric: StepMetric
    name: str
    producer_id: str
    run_id: str
    steps: StepRange
    def __init__(self, run_id: _Optional[str] = ..., producer_id: _Optional[str] = ..., metric: _Optional[_Union[StepMetric, str]] = ..., name: _Optional[str] = ..., steps: _Optional[_Union[StepRange, _Mapping]] = ..., max_points: _Optional[int] = ...) -> None: ...

class GetLossTimelineResponse(_message.Message):
    __slots__ = ["name", "points", "producer_id"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    points: SeriesColumns
    producer_id: str
    def __init__(self, name: _Optional[str] = ..., producer_id: _Optional[str] = ..., points: _Optional[_Union[SeriesColumns, _Mapping]] = ...) -> None: ...

class GetRunRequest(_message.Message):
    __slots__ = ["run_id"]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class GetRunResponse(_message.Message):
    __slots__ = ["run"]
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ...) -> None: ...

class GetServerInfoRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ["limits", "rules", "server_time", "version"]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    limits: ServerLimits
    rules: _containers.RepeatedScalarFieldContainer[str]
    server_time: _timestamp_pb2.Timestamp
    version: str
    def __init__(self, version: _Optional[str] = ..., limits: _Optional[_Union[ServerLimits, _Mapping]] = ..., server_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., rules: _Optional[_Iterable[str]] = ...) -> None: ...

class HeatmapColumns(_message.Message):
    __slots__ = ["first_steps", "last_step"]
    FIRST_STEPS_FIELD_NUMBER: _ClassVar[int]
    LAST_STEP_FIELD_NUMBER: _ClassVar[int]
    first_steps: _containers.RepeatedScalarFieldContainer[int]
    last_step: int
    def __init__(self, first_steps: _Optional[_Iterable[int]] = ..., last_step: _Optional[int] = ...) -> None: ...

class HeatmapRow(_message.Message):
    __slots__ = ["counts", "layer_id", "layer_name", "non_finite_counts", "tensor_id", "tensor_name", "values"]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    LAYER_ID_FIELD_NUMBER: _ClassVar[int]
    LAYER_NAME_FIELD_NUMBER: _ClassVar[int]
    NON_FINITE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    TENSOR_ID_FIELD_NUMBER: _ClassVar[int]
    TENSOR_NAME_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    layer_id: int
    layer_name: str
    non_finite_counts: _containers.RepeatedScalarFieldContainer[int]
    tensor_id: int
    tensor_name: str
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, tensor_id: _Optional[int] = ..., tensor_name: _Optional[str] = ..., layer_id: _Optional[int] = ..., layer_name: _Optional[str] = ..., values: _Optional[_Iterable[float]] = ..., counts: _Optional[_Iterable[int]] = ..., non_finite_counts: _Optional[_Iterable[int]] = ...) -> None: ...

class HistogramPoint(_message.Message):
    __slots__ = ["explicit", "exponential", "first_step", "last_step", "merged_count"]
    EXPLICIT_FIELD_NUMBER: _ClassVar[int]
    EXPONENTIAL_FIELD_NUMBER: _ClassVar[int]
    FIRST_STEP_FIELD_NUMBER: _ClassVar[int]
    LAST_STEP_FIELD_NUMBER: _ClassVar[int]
    MERGED_COUNT_FIELD_NUMBER: _ClassVar[int]
    explicit: ExplicitHistogram
    exponential: ExponentialHistogram
    first_step: int
    last_step: int
    merged_count: int
    def __init__(self, first_step: _Optional[int] = ..., last_step: _Optional[int] = ..., merged_count: _Optional[int] = ..., exponential: _Optional[_Union[ExponentialHistogram, _Mapping]] = ..., explicit: _Optional[_Union[ExplicitHistogram, _Mapping]] = ...) -> None: ...

class LayerComparison(_message.Message):
    __slots__ = ["a", "b", "layer_id_a", "layer_id_b", "layer_name", "parting"]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    LAYER_ID_A_FIELD_NUMBER: _ClassVar[int]
    LAYER_ID_B_FIELD_NUMBER: _ClassVar[int]
    LAYER_NAME_FIELD_NUMBER: _ClassVar[int]
    PARTING_FIELD_NUMBER: _ClassVar[int]
    a: SeriesColumns
    b: SeriesColumns
    layer_id_a: int
    layer_id_b: int
    layer_name: str
    parting: _comparison_pb2.Parting
    def __init__(self, layer_id_a: _Optional[int] = ..., layer_id_b: _Optional[int] = ..., layer_name: _Optional[str] = ..., parting: _Optional[_Union[_comparison_pb2.Parting, _Mapping]] = ..., a: _Optional[_Union[SeriesColumns, _Mapping]] = ..., b: _Optional[_Union[SeriesColumns, _Mapping]] = ...) -> None: ...

class LayerEntry(_message.Message):
    __slots__ = ["layer", "layer_id", "tensors"]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    LAYER_ID_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    layer: _model_pb2.Layer
    layer_id: int
    tensors: _containers.RepeatedCompositeFieldContainer[TensorEntry]
    def __init__(self, layer_id: _Optional[int] = ..., layer: _Optional[_Union[_model_pb2.Layer, _Mapping]] = ..., tensors: _Optional[_Iterable[_Union[TensorEntry, _Mapping]]] = ...) -> None: ...

class ListAlertsRequest(_message.Message):
    __slots__ = ["minimum_severity", "page_size", "page_token", "project", "rules", "run_id", "states"]
    MINIMUM_SEVERITY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    minimum_severity: _alert_pb2.Severity
    page_size: int
    page_token: str
    project: str
    rules: _containers.RepeatedScalarFieldContainer[str]
    run_id: str
    states: _containers.RepeatedScalarFieldContainer[_alert_pb2.AlertState]
    def __init__(self, run_id: _Optional[str] = ..., project: _Optional[str] = ..., rules: _Optional[_Iterable[str]] = ..., minimum_severity: _Optional[_Union[_alert_pb2.Severity, str]] = ..., states: _Optional[_Iterable[_Union[_alert_pb2.AlertState, str]]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAlertsResponse(_message.Message):
    __slots__ = ["alerts", "next_page_token"]
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    alerts: _containers.RepeatedCompositeFieldContainer[_alert_pb2.Alert]
    next_page_token: str
    def __init__(self, alerts: _Optional[_Iterable[_Union[_alert_pb2.Alert, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListAnnotationsRequest(_message.Message):
    __slots__ = ["page_size", "page_token", "producer_id", "run_id", "steps"]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    producer_id: str
    run_id: str
    steps: StepRange
    def __init__(self, run_id: _Optional[str] = ..., producer_id: _Optional[str] = ..., steps: _Optional[_Union[StepRange, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAnnotationsResponse(_message.Message):
    __slots__ = ["annotations", "next_page_token"]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    annotations: _containers.RepeatedCompositeFieldContainer[AnnotationEntry]
    next_page_token: str
    def __init__(self, annotations: _Optional[_Iterable[_Union[AnnotationEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListLayersRequest(_message.Message):
    __slots__ = ["page_size", "page_token", "run_id", "selector"]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    run_id: str
    selector: Selector
    def __init__(self, run_id: _Optional[str] = ..., selector: _Optional[_Union[Selector, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListLayersResponse(_message.Message):
    __slots__ = ["layers", "next_page_token"]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    layers: _containers.RepeatedCompositeFieldContainer[LayerEntry]
    next_page_token: str
    def __init__(self, layers: _Optional[_Iterable[_Union[LayerEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListRunsRequest(_message.Message):
    __slots__ = ["created_since", "page_size", "page_token", "project", "status"]
    CREATED_SINCE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    created_since: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    project: str
    status: _run_pb2.RunStatus
    def __init__(self, project: _Optional[str] = ..., status: _Optional[_Union[_run_pb2.RunStatus, str]] = ..., created_since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRunsResponse(_message.Message):
    __slots__ = ["next_page_token", "runs"]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    next_page_token: str
    runs: _containers.RepeatedCompositeFieldContainer[_run_pb2.Run]
    def __init__(self, runs: _Optional[_Iterable[_Union[_run_pb2.Run, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Selector(_message.Message):
    __slots__ = ["layer", "roles", "tensor"]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    layer: str
    roles: _containers.RepeatedScalarFieldContainer[_model_pb2.TensorRole]
    tensor: str
    def __init__(self, layer: _Optional[str] = ..., tensor: _Optional[str] = ..., roles: _Optional[_Iterable[_Union[_model_pb2.TensorRole, str]]] = ...) -> None: ...

class SeriesColumns(_message.Message):
    __slots__ = ["count", "last", "last_steps", "max", "mean", "min", "non_finite_count", "steps"]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    LAST_STEPS_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    NON_FINITE_COUNT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    count: _containers.RepeatedScalarFieldContainer[int]
    last: _containers.RepeatedScalarFieldContainer[float]
    last_steps: _containers.RepeatedScalarFieldContainer[int]
    max: _containers.RepeatedScalarFieldContainer[float]
    mean: _containers.RepeatedScalarFieldContainer[float]
    min: _containers.RepeatedScalarFieldContainer[float]
    non_finite_count: _containers.RepeatedScalarFieldContainer[int]
    steps: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, steps: _Optional[_Iterable[int]] = ..., last: _Optional[_Iterable[float]] = ..., last_steps: _Optional[_Iterable[int]] = ..., min: _Optional[_Iterable[float]] = ..., max: _Optional[_Iterable[float]] = ..., mean: _Optional[_Iterable[float]] = ..., count: _Optional[_Iterable[int]] = ..., non_finite_count: _Optional[_Iterable[int]] = ...) -> None: ...

class ServerLimits(_message.Message):
    __slots__ = ["compression", "maximum_message_bytes", "maximum_model_entries", "maximum_name_bytes", "maximum_page_size", "minimum_keepalive_seconds", "stream_credits"]
    COMPRESSION_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_MODEL_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_NAME_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_KEEPALIVE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    STREAM_CREDITS_FIELD_NUMBER: _ClassVar[int]
    compression: _containers.RepeatedScalarFieldContainer[str]
    maximum_message_bytes: int
    maximum_model_entries: int
    maximum_name_bytes: int
    maximum_page_size: int
    minimum_keepalive_seconds: int
    stream_credits: int
    def __init__(self, maximum_message_bytes: _Optional[int] = ..., stream_credits: _Optional[int] = ..., maximum_page_size: _Optional[int] = ..., maximum_name_bytes: _Optional[int] = ..., maximum_model_entries: _Optional[int] = ..., minimum_keepalive_seconds: _Optional[int] = ..., compression: _Optional[_Iterable[str]] = ...) -> None: ...

class StepRange(_message.Message):
    __slots__ = ["first", "last"]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    first: int
    last: int
    def __init__(self, first: _Optional[int] = ..., last: _Optional[int] = ...) -> None: ...

class TensorEntry(_message.Message):
    __slots__ = ["tensor", "tensor_id"]
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    TENSOR_ID_FIELD_NUMBER: _ClassVar[int]
    tensor: _model_pb2.Tensor
    tensor_id: int
    def __init__(self, tensor_id: _Optional[int] = ..., tensor: _Optional[_Union[_model_pb2.Tensor, _Mapping]] = ...) -> None: ...

class Metric(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class StepMetric(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class HeatmapStatistic(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
