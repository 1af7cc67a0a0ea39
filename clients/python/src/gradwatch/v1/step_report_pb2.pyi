from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

CLIPPING_KIND_ADAPTIVE: ClippingKind
CLIPPING_KIND_GLOBAL_NORM: ClippingKind
CLIPPING_KIND_UNSPECIFIED: ClippingKind
CLIPPING_KIND_VALUE: ClippingKind
DESCRIPTOR: _descriptor.FileDescriptor
TRAINING_PHASE_DECAY: TrainingPhase
TRAINING_PHASE_MAIN: TrainingPhase
TRAINING_PHASE_UNSPECIFIED: TrainingPhase
TRAINING_PHASE_WARMUP: TrainingPhase

class ActivationColumns(_message.Message):
    __slots__ = ["dead_unit_fraction", "layer_ids", "mean", "saturated_fraction", "std", "zero_fraction"]
    DEAD_UNIT_FRACTION_FIELD_NUMBER: _ClassVar[int]
    LAYER_IDS_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    SATURATED_FRACTION_FIELD_NUMBER: _ClassVar[int]
    STD_FIELD_NUMBER: _ClassVar[int]
    ZERO_FRACTION_FIELD_NUMBER: _ClassVar[int]
    dead_unit_fraction: _containers.RepeatedScalarFieldContainer[float]
    layer_ids: _containers.RepeatedScalarFieldContainer[int]
    mean: _containers.RepeatedScalarFieldContainer[float]
    saturated_fraction: _containers.RepeatedScalarFieldContainer[float]
    std: _containers.RepeatedScalarFieldContainer[float]
    zero_fraction: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, layer_ids: _Optional[_Iterable[int]] = ..., mean: _Optional[_Iterable[float]] = ..., std: _Optional[_Iterable[float]] = ..., zero_fraction: _Optional[_Iterable[float]] = ..., saturated_fraction: _Optional[_Iterable[float]] = ..., dead_unit_fraction: _Optional[_Iterable[float]] = ...) -> None: ...

class Clipping(_message.Message):
    __slots__ = ["clipped", "kind", "threshold"]
    CLIPPED_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    clipped: bool
    kind: ClippingKind
    threshold: float
    def __init__(self, kind: _Optional[_Union[ClippingKind, str]] = ..., threshold: _Optional[float] = ..., clipped: bool = ...) -> None: ...

class ExplicitHistogramColumn(_message.Message):
    __slots__ = ["bounds", "counts", "tensor_ids"]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    TENSOR_IDS_FIELD_NUMBER: _ClassVar[int]
    bounds: _containers.RepeatedScalarFieldContainer[float]
    counts: _containers.RepeatedScalarFieldContainer[int]
    tensor_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, tensor_ids: _Optional[_Iterable[int]] = ..., bounds: _Optional[_Iterable[float]] = ..., counts: _Optional[_Iterable[int]] = ...) -> None: ...

class ExponentialHistogramColumn(_message.Message):
    __slots__ = ["counts", "negative_length", "negative_offset", "positive_length", "positive_offset", "scale", "tensor_ids", "zero_count"]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_OFFSET_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_OFFSET_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    TENSOR_IDS_FIELD_NUMBER: _ClassVar[int]
    ZERO_COUNT_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    negative_length: _containers.RepeatedScalarFieldContainer[int]
    negative_offset: _containers.RepeatedScalarFieldContainer[int]
    positive_length: _containers.RepeatedScalarFieldContainer[int]
    positive_offset: _containers.RepeatedScalarFieldContainer[int]
    scale: int
    tensor_ids: _containers.RepeatedScalarFieldContainer[int]
    zero_count: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, tensor_ids: _Optional[_Iterable[int]] = ..., scale: _Optional[int] = ..., zero_count: _Optional[_Iterable[int]] = ..., positive_offset: _Optional[_Iterable[int]] = ..., positive_length: _Optional[_Iterable[int]] = ..., negative_offset: _Optional[_Iterable[int]] = ..., negative_length: _Optional[_Iterable[int]] = ..., counts: _Optional[_Iterable[int]] = ...) -> None: ...

class GradientColumns(_message.Message):
    __slots__ = ["max", "mean", "mean_abs", "min", "nan_count", "negative_infinity_count", "norm", "positive_infinity_count", "std", "tensor_ids", "zero_count"]
    MAX_FIELD_NUMBER: _ClassVar[int]
    MEAN_ABS_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    NAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_INFINITY_COUNT_FIELD_NUMBER: _ClassVar[int]
    NORM_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_INFINITY_COUNT_FIELD_NUMBER: _ClassVar[int]
    STD_FIELD_NUMBER: _ClassVar[int]
    TENSOR_IDS_FIELD_NUMBER: _ClassVar[int]
    ZERO_COUNT_FIELD_NUMBER: _ClassVar[int]
    max: _containers.RepeatedScalarFieldContainer[float]
    mean: _containers.RepeatedScalarFieldContainer[float]
    mean_abs: _containers.RepeatedScalarFieldContainer[float]
    min: _containers.RepeatedScalarFieldContainer[float]
    nan_count: _containers.RepeatedScalarFieldContainer[int]
    negative_infinity_count: _containers.RepeatedScalarFieldContainer[int]
    norm: _containers.RepeatedScalarFieldContainer[float]
    positive_infinity_count: _containers.RepeatedScalarFieldContainer[int]
    std: _containers.RepeatedScalarFieldContainer[float]
    tensor_ids: _containers.RepeatedScalarFieldContainer[int]
    zero_count: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, tensor_ids: _Optional[_Iterable[int]] = ..., norm: _Optional[_Iterable[float]] = ..., mean: _Optional[_Iterable[float]] = ..., mean_abs: _Optional[_Iterable[float]] = ..., std: _Optional[_Iterable[float]] = ..., min: _Optional[_Iterable[float]] = ..., max: _Optional[_Iterable[float]] = ..., zero_count: _Optional[_Iterable[int]] = ..., nan_count: _Optional[_Iterable[int]] = ..., positive_infinity_count: _Optional[_Iterable[int]] = ..., negative_infinity_count: _Optional[_Iterable[int]] = ...) -> None: ...

class NamedLoss(_message.Message):
    __slots__ = ["name", "value"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class ParameterColumns(_message.Message):
    __slots__ = ["norm", "tensor_ids", "update_norm"]
    NORM_FIELD_NUMBER: _ClassVar[int]
    TENSOR_IDS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_NORM_FIELD_NUMBER: _ClassVar[int]
    norm: _containers.RepeatedScalarFieldContainer[float]
    tensor_ids: _containers.RepeatedScalarFieldContainer[int]
    update_norm: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, tensor_ids: _Optional[_Iterable[int]] = ..., norm: _Optional[_Iterable[float]] = ..., update_norm: _Optional[_Iterable[float]] = ...) -> None: ...

class StepAnnotation(_message.Message):
    __slots__ = ["action", "alert_id", "detail"]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    action: str
    alert_id: str
    detail: str
    def __init__(self, action: _Optional[str] = ..., detail: _Optional[str] = ..., alert_id: _Optional[str] = ...) -> None: ...

class StepReport(_message.Message):
    __slots__ = ["activations", "annotations", "batch_size", "clipping", "dropped_steps", "explicit_histograms", "global_norm", "gradients", "gradients_scaled", "histograms", "learning_rate", "loss_scale", "losses", "optimizer_skipped", "parameters", "phase", "sequence", "step", "time_step_norms", "wall_time_seconds"]
    ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    CLIPPING_FIELD_NUMBER: _ClassVar[int]
    DROPPED_STEPS_FIELD_NUMBER: _ClassVar[int]
    EXPLICIT_HISTOGRAMS_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_NORM_FIELD_NUMBER: _ClassVar[int]
    GRADIENTS_FIELD_NUMBER: _ClassVar[int]
    GRADIENTS_SCALED_FIELD_NUMBER: _ClassVar[int]
    HISTOGRAMS_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    LOSSES_FIELD_NUMBER: _ClassVar[int]
    LOSS_SCALE_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZER_SKIPPED_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    TIME_STEP_NORMS_FIELD_NUMBER: _ClassVar[int]
    WALL_TIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    activations: ActivationColumns
    annotations: _containers.RepeatedCompositeFieldContainer[StepAnnotation]
    batch_size: int
    clipping: Clipping
    dropped_steps: int
    explicit_histograms: ExplicitHistogramColumn
    global_norm: float
    gradients: GradientColumns
    gradients_scaled: bool
    histograms: ExponentialHistogramColumn
    learning_rate: float
    loss_scale: float
    losses: _containers.RepeatedCompositeFieldContainer[NamedLoss]
    optimizer_skipped: bool
    parameters: ParameterColumns
    phase: TrainingPhase
    sequence: int
    step: int
    time_step_norms: _containers.RepeatedCompositeFieldContainer[TimeStepNorms]
    wall_time_seconds: float
    def __init__(self, sequence: _Optional[int] = ..., step: _Optional[int] = ..., wall_time_seconds: _Optional[float] = ..., losses: _Optional[_Iterable[_Union[NamedLoss, _Mapping]]] = ..., learning_rate: _Optional[float] = ..., global_norm: _Optional[float] = ..., clipping: _Optional[_Union[Clipping, _Mapping]] = ..., loss_scale: _Optional[float] = ..., gradients_scaled: bool = ..., optimizer_skipped: bool = ..., batch_size: _Optional[int] = ..., phase: _Optional[_Union[TrainingPhase, str]] = ..., dropped_steps: _Optional[int] = ..., gradients: _Optional[_Union[GradientColumns, _Mapping]] = ..., parameters: _Optional[_Union[ParameterColumns, _Mapping]] = ..., histograms: _Optional[_Union[ExponentialHistogramColumn, _Mapping]] = ..., explicit_histograms: _Optional[_Union[ExplicitHistogramColumn, _Mapping]] = ..., activations: _Optional[_Union[ActivationColumns, _Mapping]] = ..., time_step_norms: _Optional[_Iterable[_Union[TimeStepNorms, _Mapping]]] = ..., annotations: _Optional[_Iterable[_Union[StepAnnotation, _Mapping]]] = ...) -> None: ...

class TimeStepNorms(_message.Message):
    __slots__ = ["layer_id", "norms", "positions"]
    LAYER_ID_FIELD_NUMBER: _ClassVar[int]
    NORMS_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    layer_id: int
    norms: _containers.RepeatedScalarFieldContainer[float]
    positions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, layer_id: _Optional[int] = ..., positions: _Optional[_Iterable[int]] = ..., norms: _Optional[_Iterable[float]] = ...) -> None: ...

class TrainingPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class ClippingKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
