from google.protobuf import timestamp_pb2 as _timestamp_pb2
from gradwatch.v1 import alert_pb2 as _alert_pb2
from gradwatch.v1 import rules_pb2 as _rules_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

COMPARISON_ADDED: Comparison
COMPARISON_CHANGED: Comparison
COMPARISON_REMOVED: Comparison
COMPARISON_SAME: Comparison
COMPARISON_UNSPECIFIED: Comparison
DESCRIPTOR: _descriptor.FileDescriptor

class AcknowledgeAlertRequest(_message.Message):
    __slots__ = ["acknowledged_by", "alert_id"]
    ACKNOWLEDGED_BY_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    acknowledged_by: str
    alert_id: str
    def __init__(self, alert_id: _Optional[str] = ..., acknowledged_by: _Optional[str] = ...) -> None: ...

class AcknowledgeAlertResponse(_message.Message):
    __slots__ = ["alert"]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: _alert_pb2.Alert
    def __init__(self, alert: _Optional[_Union[_alert_pb2.Alert, _Mapping]] = ...) -> None: ...

class CaughtUp(_message.Message):
    __slots__ = ["cursor"]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    cursor: int
    def __init__(self, cursor: _Optional[int] = ...) -> None: ...

class ListRulesRequest(_message.Message):
    __slots__ = ["project", "run_id"]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    project: str
    run_id: str
    def __init__(self, project: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class ListRulesResponse(_message.Message):
    __slots__ = ["revision", "rules", "set"]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    SET_FIELD_NUMBER: _ClassVar[int]
    revision: int
    rules: _containers.RepeatedCompositeFieldContainer[_rules_pb2.Rule]
    set: _rules_pb2.RuleSet
    def __init__(self, rules: _Optional[_Iterable[_Union[_rules_pb2.Rule, _Mapping]]] = ..., set: _Optional[_Union[_rules_pb2.RuleSet, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class ListSilencesRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class ListSilencesResponse(_message.Message):
    __slots__ = ["silences"]
    SILENCES_FIELD_NUMBER: _ClassVar[int]
    silences: _containers.RepeatedCompositeFieldContainer[Silence]
    def __init__(self, silences: _Optional[_Iterable[_Union[Silence, _Mapping]]] = ...) -> None: ...

class RemoveSilenceRequest(_message.Message):
    __slots__ = ["silence_id"]
    SILENCE_ID_FIELD_NUMBER: _ClassVar[int]
    silence_id: str
    def __init__(self, silence_id: _Optional[str] = ...) -> None: ...

class RemoveSilenceResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class SetRulesRequest(_message.Message):
    __slots__ = ["project", "rules", "run_id"]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    project: str
    rules: _rules_pb2.RuleSet
    run_id: str
    def __init__(self, project: _Optional[str] = ..., run_id: _Optional[str] = ..., rules: _Optional[_Union[_rules_pb2.RuleSet, _Mapping]] = ...) -> None: ...

class SetRulesResponse(_message.Message):
    __slots__ = ["effective", "revision"]
    EFFECTIVE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    effective: _rules_pb2.RuleSet
    revision: int
    def __init__(self, effective: _Optional[_Union[_rules_pb2.RuleSet, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class Silence(_message.Message):
    __slots__ = ["author", "comment", "created_at", "ends_at", "layer", "project", "rule", "run_id", "silence_id"]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDS_AT_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SILENCE_ID_FIELD_NUMBER: _ClassVar[int]
    author: str
    comment: str
    created_at: _timestamp_pb2.Timestamp
    ends_at: _timestamp_pb2.Timestamp
    layer: str
    project: str
    rule: str
    run_id: str
    silence_id: str
    def __init__(self, silence_id: _Optional[str] = ..., rule: _Optional[str] = ..., project: _Optional[str] = ..., run_id: _Optional[str] = ..., layer: _Optional[str] = ..., ends_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., created_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., author: _Optional[str] = ..., comment: _Optional[str] = ...) -> None: ...

class SilenceAlertsRequest(_message.Message):
    __slots__ = ["silence"]
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    silence: Silence
    def __init__(self, silence: _Optional[_Union[Silence, _Mapping]] = ...) -> None: ...

class SilenceAlertsResponse(_message.Message):
    __slots__ = ["silence"]
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    silence: Silence
    def __init__(self, silence: _Optional[_Union[Silence, _Mapping]] = ...) -> None: ...

class SubscribeAlertsRequest(_message.Message):
    __slots__ = ["cursor", "include_pending", "include_silenced", "minimum_severity", "projects", "rules", "run_ids"]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_PENDING_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SILENCED_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_SEVERITY_FIELD_NUMBER: _ClassVar[int]
    PROJECTS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    RUN_IDS_FIELD_NUMBER: _ClassVar[int]
    cursor: int
    include_pending: bool
    include_silenced: bool
    minimum_severity: _alert_pb2.Severity
    projects: _containers.RepeatedScalarFieldContainer[str]
    rules: _containers.RepeatedScalarFieldContainer[str]
    run_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, run_ids: _Optional[_Iterable[str]] = ..., projects: _Optional[_Iterable[str]] = ..., rules: _Optional[_Iterable[str]] = ..., minimum_severity: _Optional[_Union[_alert_pb2.Severity, str]] = ..., cursor: _Optional[int] = ..., include_pending: bool = ..., include_silenced: bool = ...) -> None: ...

class SubscribeAlertsResponse(_message.Message):
    __slots__ = ["caught_up", "open_alert", "transition"]
    CAUGHT_UP_FIELD_NUMBER: _ClassVar[int]
    OPEN_ALERT_FIELD_NUMBER: _ClassVar[int]
    TRANSITION_FIELD_NUMBER: _ClassVar[int]
    caught_up: CaughtUp
    open_alert: _alert_pb2.Alert
    transition: _alert_pb2.AlertTransition
    def __init__(self, open_alert: _Optional[_Union[_alert_pb2.Alert, _Mapping]] = ..., transition: _Optional[_Union[_alert_pb2.AlertTransition, _Mapping]] = ..., caught_up: _Optional[_Union[CaughtUp, _Mapping]] = ...) -> None: ...

class TestRulesRequest(_message.Message):
    __slots__ = ["producer_id", "rules", "run_id"]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    producer_id: str
    rules: _rules_pb2.RuleSet
    run_id: str
    def __init__(self, run_id: _Optional[str] = ..., rules: _Optional[_Union[_rules_pb2.RuleSet, _Mapping]] = ..., producer_id: _Optional[str] = ...) -> None: ...

class TestRulesResponse(_message.Message):
    __slots__ = ["alert", "run"]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    alert: TestedAlert
    run: TestedRun
    def __init__(self, alert: _Optional[_Union[TestedAlert, _Mapping]] = ..., run: _Optional[_Union[TestedRun, _Mapping]] = ...) -> None: ...

class TestedAlert(_message.Message):
    __slots__ = ["alert", "comparison", "recorded"]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    alert: _alert_pb2.Alert
    comparison: Comparison
    recorded: _alert_pb2.Alert
    def __init__(self, comparison: _Optional[_Union[Comparison, str]] = ..., alert: _Optional[_Union[_alert_pb2.Alert, _Mapping]] = ..., recorded: _Optional[_Union[_alert_pb2.Alert, _Mapping]] = ...) -> None: ...

class TestedRun(_message.Message):
    __slots__ = ["reports", "transitions"]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    TRANSITIONS_FIELD_NUMBER: _ClassVar[int]
    reports: int
    transitions: int
    def __init__(self, reports: _Optional[int] = ..., transitions: _Optional[int] = ...) -> None: ...

class Comparison(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
