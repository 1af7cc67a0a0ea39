from gradwatch.v1 import alert_pb2 as _alert_pb2
from gradwatch.v1 import diagnosis_pb2 as _diagnosis_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
PARTING_KIND_NON_FINITE: PartingKind
PARTING_KIND_PRESENCE: PartingKind
PARTING_KIND_RATIO: PartingKind
PARTING_KIND_UNSPECIFIED: PartingKind

class ComparedRun(_message.Message):
    __slots__ = ["last_step", "own_layers", "own_step_count", "own_tensors", "producer_id", "run_id", "step_count"]
    LAST_STEP_FIELD_NUMBER: _ClassVar[int]
    OWN_LAYERS_FIELD_NUMBER: _ClassVar[int]
    OWN_STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    OWN_TENSORS_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    last_step: int
    own_layers: _containers.RepeatedScalarFieldContainer[str]
    own_step_count: int
    own_tensors: _containers.RepeatedScalarFieldContainer[str]
    producer_id: str
    run_id: str
    step_count: int
    def __init__(self, run_id: _Optional[str] = ..., producer_id: _Optional[str] = ..., step_count: _Optional[int] = ..., own_step_count: _Optional[int] = ..., last_step: _Optional[int] = ..., own_tensors: _Optional[_Iterable[str]] = ..., own_layers: _Optional[_Iterable[str]] = ...) -> None: ...

class LossComparison(_message.Message):
    __slots__ = ["a", "b", "name", "parting"]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PARTING_FIELD_NUMBER: _ClassVar[int]
    a: _diagnosis_pb2.LossCourse
    b: _diagnosis_pb2.LossCourse
    name: str
    parting: Parting
    def __init__(self, name: _Optional[str] = ..., a: _Optional[_Union[_diagnosis_pb2.LossCourse, _Mapping]] = ..., b: _Optional[_Union[_diagnosis_pb2.LossCourse, _Mapping]] = ..., parting: _Optional[_Union[Parting, _Mapping]] = ...) -> None: ...

class PartedLayer(_message.Message):
    __slots__ = ["layer_name", "parting"]
    LAYER_NAME_FIELD_NUMBER: _ClassVar[int]
    PARTING_FIELD_NUMBER: _ClassVar[int]
    layer_name: str
    parting: Parting
    def __init__(self, layer_name: _Optional[str] = ..., parting: _Optional[_Union[Parting, _Mapping]] = ...) -> None: ...

class Parting(_message.Message):
    __slots__ = ["a", "b", "kind", "log_ratio_band", "step", "usual_log_ratio"]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LOG_RATIO_BAND_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    USUAL_LOG_RATIO_FIELD_NUMBER: _ClassVar[int]
    a: float
    b: float
    kind: PartingKind
    log_ratio_band: float
    step: int
    usual_log_ratio: float
    def __init__(self, kind: _Optional[_Union[PartingKind, str]] = ..., step: _Optional[int] = ..., a: _Optional[float] = ..., b: _Optional[float] = ..., usual_log_ratio: _Optional[float] = ..., log_ratio_band: _Optional[float] = ...) -> None: ...

class RuleComparison(_message.Message):
    __slots__ = ["a", "b", "rule"]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    a: RuleOccurrence
    b: RuleOccurrence
    rule: str
    def __init__(self, rule: _Optional[str] = ..., a: _Optional[_Union[RuleOccurrence, _Mapping]] = ..., b: _Optional[_Union[RuleOccurrence, _Mapping]] = ...) -> None: ...

class RuleOccurrence(_message.Message):
    __slots__ = ["alert_count", "first_step", "layers", "severity"]
    ALERT_COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_STEP_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    alert_count: int
    first_step: int
    layers: _containers.RepeatedScalarFieldContainer[str]
    severity: _alert_pb2.Severity
    def __init__(self, alert_count: _Optional[int] = ..., severity: _Optional[_Union[_alert_pb2.Severity, str]] = ..., first_step: _Optional[int] = ..., layers: _Optional[_Iterable[str]] = ...) -> None: ...

class RunComparison(_message.Message):
    __slots__ = ["a", "b", "common_step_count", "first_common_step", "first_difference_step", "first_differences", "first_parting", "hyperparameters", "identical_until_step", "last_common_step", "layer_count", "losses", "model", "omitted_layer_count", "parted_layer_count", "rules", "step_settings", "summary"]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    COMMON_STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_COMMON_STEP_FIELD_NUMBER: _ClassVar[int]
    FIRST_DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    FIRST_DIFFERENCE_STEP_FIELD_NUMBER: _ClassVar[int]
    FIRST_PARTING_FIELD_NUMBER: _ClassVar[int]
    HYPERPARAMETERS_FIELD_NUMBER: _ClassVar[int]
    IDENTICAL_UNTIL_STEP_FIELD_NUMBER: _ClassVar[int]
    LAST_COMMON_STEP_FIELD_NUMBER: _ClassVar[int]
    LAYER_COUNT_FIELD_NUMBER: _ClassVar[int]
    LOSSES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    OMITTED_LAYER_COUNT_FIELD_NUMBER: _ClassVar[int]
    PARTED_LAYER_COUNT_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    STEP_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    a: ComparedRun
    b: ComparedRun
    common_step_count: int
    first_common_step: int
    first_difference_step: int
    first_differences: _containers.RepeatedScalarFieldContainer[str]
    first_parting: PartedLayer
    hyperparameters: _containers.RepeatedCompositeFieldContainer[SettingDifference]
    identical_until_step: int
    last_common_step: int
    layer_count: int
    losses: _containers.RepeatedCompositeFieldContainer[LossComparison]
    model: _containers.RepeatedCompositeFieldContainer[SettingDifference]
    omitted_layer_count: int
    parted_layer_count: int
    rules: _containers.RepeatedCompositeFieldContainer[RuleComparison]
    step_settings: _containers.RepeatedCompositeFieldContainer[StepSettingDifference]
    summary: str
    def __init__(self, summary: _Optional[str] = ..., a: _Optional[_Union[ComparedRun, _Mapping]] = ..., b: _Optional[_Union[ComparedRun, _Mapping]] = ..., common_step_count: _Optional[int] = ..., first_common_step: _Optional[int] = ..., last_common_step: _Optional[int] = ..., identical_until_step: _Optional[int] = ..., first_difference_step: _Optional[int] = ..., first_differences: _Optional[_Iterable[str]] = ..., first_parting: _Optional[_Union[PartedLayer, _Mapping]] = ..., layer_count: _Optional[int] = ..., parted_layer_count: _Optional[int] = ..., omitted_layer_count: _Optional[int] = ..., losses: _Optional[_Iterable[_Union[LossComparison, _Mapping]]] = ..., hyperparameters: _Optional[_Iterable[_Union[SettingDifference, _Mapping]]] = ..., step_settings: _Optional[_Iterable[_Union[StepSettingDifference, _Mapping]]] = ..., model: _Optional[_Iterable[_Union[SettingDifference, _Mapping]]] = ..., rules: _Optional[_Iterable[_Union[RuleComparison, _Mapping]]] = ...) -> None: ...

class SettingDifference(_message.Message):
    __slots__ = ["a", "b", "name"]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    a: str
    b: str
    name: str
    def __init__(self, name: _Optional[str] = ..., a: _Optional[str] = ..., b: _Optional[str] = ...) -> None: ...

class StepSettingDifference(_message.Message):
    __slots__ = ["a", "b", "first_step", "name"]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    FIRST_STEP_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    a: float
    b: float
    first_step: int
    name: str
    def __init__(self, name: _Optional[str] = ..., first_step: _Optional[int] = ..., a: _Optional[float] = ..., b: _Optional[float] = ...) -> None: ...

class PartingKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
