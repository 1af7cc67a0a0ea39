from gradwatch.v1 import alert_pb2 as _alert_pb2
from gradwatch.v1 import run_pb2 as _run_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
VERDICT_HEALTHY: Verdict
VERDICT_NO_DATA: Verdict
VERDICT_RECOVERED: Verdict
VERDICT_SICK: Verdict
VERDICT_UNSPECIFIED: Verdict

class BlindSpot(_message.Message):
    __slots__ = ["columns", "producer_ids", "rules"]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_IDS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    columns: _containers.RepeatedScalarFieldContainer[str]
    producer_ids: _containers.RepeatedScalarFieldContainer[str]
    rules: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, columns: _Optional[_Iterable[str]] = ..., rules: _Optional[_Iterable[str]] = ..., producer_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class CausalClaim(_message.Message):
    __slots__ = ["confidence", "delay_steps", "reason"]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    DELAY_STEPS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    confidence: float
    delay_steps: int
    reason: str
    def __init__(self, reason: _Optional[str] = ..., confidence: _Optional[float] = ..., delay_steps: _Optional[int] = ...) -> None: ...

class Diagnosis(_message.Message):
    __slots__ = ["alert_count", "blind_spots", "last_step", "loss", "omitted_alert_count", "open_severity", "roots", "run_id", "status", "step_count", "summary", "verdict"]
    ALERT_COUNT_FIELD_NUMBER: _ClassVar[int]
    BLIND_SPOTS_FIELD_NUMBER: _ClassVar[int]
    LAST_STEP_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    OMITTED_ALERT_COUNT_FIELD_NUMBER: _ClassVar[int]
    OPEN_SEVERITY_FIELD_NUMBER: _ClassVar[int]
    ROOTS_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    alert_count: int
    blind_spots: _containers.RepeatedCompositeFieldContainer[BlindSpot]
    last_step: int
    loss: LossCourse
    omitted_alert_count: int
    open_severity: _alert_pb2.Severity
    roots: _containers.RepeatedCompositeFieldContainer[RootCause]
    run_id: str
    status: _run_pb2.RunStatus
    step_count: int
    summary: str
    verdict: Verdict
    def __init__(self, run_id: _Optional[str] = ..., status: _Optional[_Union[_run_pb2.RunStatus, str]] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., summary: _Optional[str] = ..., open_severity: _Optional[_Union[_alert_pb2.Severity, str]] = ..., step_count: _Optional[int] = ..., last_step: _Optional[int] = ..., loss: _Optional[_Union[LossCourse, _Mapping]] = ..., roots: _Optional[_Iterable[_Union[RootCause, _Mapping]]] = ..., blind_spots: _Optional[_Iterable[_Union[BlindSpot, _Mapping]]] = ..., alert_count: _Optional[int] = ..., omitted_alert_count: _Optional[int] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ["alert_ids", "alerts", "claim", "confidence", "consequences", "fired_step", "first_step", "layers", "open", "producer_ids", "ranks", "reason", "resolved_step", "rule", "severity", "summary"]
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    ALERT_IDS_FIELD_NUMBER: _ClassVar[int]
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    CONSEQUENCES_FIELD_NUMBER: _ClassVar[int]
    FIRED_STEP_FIELD_NUMBER: _ClassVar[int]
    FIRST_STEP_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_IDS_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_STEP_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    alert_ids: _containers.RepeatedScalarFieldContainer[str]
    alerts: _containers.RepeatedCompositeFieldContainer[_alert_pb2.Alert]
    claim: CausalClaim
    confidence: float
    consequences: _containers.RepeatedCompositeFieldContainer[Finding]
    fired_step: int
    first_step: int
    layers: _containers.RepeatedScalarFieldContainer[str]
    open: bool
    producer_ids: _containers.RepeatedScalarFieldContainer[str]
    ranks: _containers.RepeatedScalarFieldContainer[int]
    reason: str
    resolved_step: int
    rule: str
    severity: _alert_pb2.Severity
    summary: str
    def __init__(self, rule: _Optional[str] = ..., severity: _Optional[_Union[_alert_pb2.Severity, str]] = ..., open: bool = ..., summary: _Optional[str] = ..., reason: _Optional[str] = ..., confidence: _Optional[float] = ..., first_step: _Optional[int] = ..., fired_step: _Optional[int] = ..., resolved_step: _Optional[int] = ..., layers: _Optional[_Iterable[str]] = ..., producer_ids: _Optional[_Iterable[str]] = ..., ranks: _Optional[_Iterable[int]] = ..., alert_ids: _Optional[_Iterable[str]] = ..., alerts: _Optional[_Iterable[_Union[_alert_pb2.Alert, _Mapping]]] = ..., claim: _Optional[_Union[CausalClaim, _Mapping]] = ..., consequences: _Optional[_Iterable[_Union[Finding, _Mapping]]] = ...) -> None: ...

class LossCourse(_message.Message):
    __slots__ = ["best", "best_step", "first", "first_non_finite_step", "last"]
    BEST_FIELD_NUMBER: _ClassVar[int]
    BEST_STEP_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    FIRST_NON_FINITE_STEP_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    best: float
    best_step: int
    first: float
    first_non_finite_step: int
    last: float
    def __init__(self, first: _Optional[float] = ..., best: _Optional[float] = ..., best_step: _Optional[int] = ..., last: _Optional[float] = ..., first_non_finite_step: _Optional[int] = ...) -> None: ...

class RootCause(_message.Message):
    __slots__ = ["cautions", "finding", "remedies"]
    CAUTIONS_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    REMEDIES_FIELD_NUMBER: _ClassVar[int]
    cautions: _containers.RepeatedCompositeFieldContainer[_alert_pb2.Remedy]
    finding: Finding
    remedies: _containers.RepeatedCompositeFieldContainer[_alert_pb2.Remedy]
    def __init__(self, finding: _Optional[_Union[Finding, _Mapping]] = ..., remedies: _Optional[_Iterable[_Union[_alert_pb2.Remedy, _Mapping]]] = ..., cautions: _Optional[_Iterable[_Union[_alert_pb2.Remedy, _Mapping]]] = ...) -> None: ...

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
