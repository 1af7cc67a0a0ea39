from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

ALERT_STATE_ACKNOWLEDGED: AlertState
ALERT_STATE_FIRING: AlertState
ALERT_STATE_PENDING: AlertState
ALERT_STATE_RESOLVED: AlertState
ALERT_STATE_UNSPECIFIED: AlertState
DESCRIPTOR: _descriptor.FileDescriptor
SEVERITY_CRITICAL: Severity
SEVERITY_INFO: Severity
SEVERITY_UNSPECIFIED: Severity
SEVERITY_WARNING: Severity

class Alert(_message.Message):
    __slots__ = ["acknowledged_at", "acknowledged_by", "alert_id", "cause", "confidence", "evidence", "fired_at", "fired_step", "first_step", "producer_id", "remedies", "reopened_count", "resolved_at", "resolved_step", "rule", "run_id", "scope", "severity", "silenced_by", "started_at", "state", "summary"]
    ACKNOWLEDGED_AT_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_BY_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    FIRED_AT_FIELD_NUMBER: _ClassVar[int]
    FIRED_STEP_FIELD_NUMBER: _ClassVar[int]
    FIRST_STEP_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    REMEDIES_FIELD_NUMBER: _ClassVar[int]
    REOPENED_COUNT_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_AT_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_STEP_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    SILENCED_BY_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    acknowledged_at: _timestamp_pb2.Timestamp
    acknowledged_by: str
    alert_id: str
    cause: str
    confidence: float
    evidence: Evidence
    fired_at: _timestamp_pb2.Timestamp
    fired_step: int
    first_step: int
    producer_id: str
    remedies: _containers.RepeatedCompositeFieldContainer[Remedy]
    reopened_count: int
    resolved_at: _timestamp_pb2.Timestamp
    resolved_step: int
    rule: str
    run_id: str
    scope: AlertScope
    severity: Severity
    silenced_by: _containers.RepeatedScalarFieldContainer[str]
    started_at: _timestamp_pb2.Timestamp
    state: AlertState
    summary: str
    def __init__(self, alert_id: _Optional[str] = ..., run_id: _Optional[str] = ..., producer_id: _Optional[str] = ..., rule: _Optional[str] = ..., severity: _Optional[_Union[Severity, str]] = ..., state: _Optional[_Union[AlertState, str]] = ..., scope: _Optional[_Union[AlertScope, _Mapping]] = ..., summary: _Optional[str] = ..., cause: _Optional[str] = ..., confidence: _Optional[float] = ..., evidence: _Optional[_Union[Evidence, _Mapping]] = ..., remedies: _Optional[_Iterable[_Union[Remedy, _Mapping]]] = ..., first_step: _Optional[int] = ..., fired_step: _Optional[int] = ..., resolved_step: _Optional[int] = ..., started_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., fired_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., acknowledged_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., acknowledged_by: _Optional[str] = ..., resolved_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., reopened_count: _Optional[int] = ..., silenced_by: _Optional[_Iterable[str]] = ...) -> None: ...

class AlertScope(_message.Message):
    __slots__ = ["layers", "tensor_id"]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    TENSOR_ID_FIELD_NUMBER: _ClassVar[int]
    layers: LayerRange
    tensor_id: int
    def __init__(self, layers: _Optional[_Union[LayerRange, _Mapping]] = ..., tensor_id: _Optional[int] = ...) -> None: ...

class AlertTransition(_message.Message):
    __slots__ = ["alert", "at", "cursor", "from_state", "step"]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    FROM_STATE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    alert: Alert
    at: _timestamp_pb2.Timestamp
    cursor: int
    from_state: AlertState
    step: int
    def __init__(self, cursor: _Optional[int] = ..., alert: _Optional[_Union[Alert, _Mapping]] = ..., from_state: _Optional[_Union[AlertState, str]] = ..., step: _Optional[int] = ..., at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Evidence(_message.Message):
    __slots__ = ["baseline", "facts", "first_step", "last_step", "layers", "observed", "quantity", "recent", "tensors", "threshold"]
    class FactsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    FIRST_STEP_FIELD_NUMBER: _ClassVar[int]
    LAST_STEP_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    RECENT_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    baseline: float
    facts: _containers.ScalarMap[str, str]
    first_step: int
    last_step: int
    layers: _containers.RepeatedScalarFieldContainer[str]
    observed: float
    quantity: str
    recent: _containers.RepeatedCompositeFieldContainer[EvidencePoint]
    tensors: _containers.RepeatedScalarFieldContainer[str]
    threshold: float
    def __init__(self, quantity: _Optional[str] = ..., observed: _Optional[float] = ..., baseline: _Optional[float] = ..., threshold: _Optional[float] = ..., first_step: _Optional[int] = ..., last_step: _Optional[int] = ..., recent: _Optional[_Iterable[_Union[EvidencePoint, _Mapping]]] = ..., layers: _Optional[_Iterable[str]] = ..., tensors: _Optional[_Iterable[str]] = ..., facts: _Optional[_Mapping[str, str]] = ...) -> None: ...

class EvidencePoint(_message.Message):
    __slots__ = ["step", "value"]
    STEP_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    step: int
    value: float
    def __init__(self, step: _Optional[int] = ..., value: _Optional[float] = ...) -> None: ...

class LayerRange(_message.Message):
    __slots__ = ["first_layer_id", "last_layer_id"]
    FIRST_LAYER_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_LAYER_ID_FIELD_NUMBER: _ClassVar[int]
    first_layer_id: int
    last_layer_id: int
    def __init__(self, first_layer_id: _Optional[int] = ..., last_layer_id: _Optional[int] = ...) -> None: ...

class Remedy(_message.Message):
    __slots__ = ["action", "reason"]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    action: str
    reason: str
    def __init__(self, action: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class AlertState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
