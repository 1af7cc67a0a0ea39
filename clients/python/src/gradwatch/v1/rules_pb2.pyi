from gradwatch.v1 import alert_pb2 as _alert_pb2
from gradwatch.v1 import model_pb2 as _model_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Rule(_message.Message):
    __slots__ = ["changed", "enabled", "rule", "summary", "thresholds"]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    changed: RuleSettings
    enabled: bool
    rule: str
    summary: str
    thresholds: _containers.RepeatedCompositeFieldContainer[RuleThreshold]
    def __init__(self, rule: _Optional[str] = ..., summary: _Optional[str] = ..., thresholds: _Optional[_Iterable[_Union[RuleThreshold, _Mapping]]] = ..., enabled: bool = ..., changed: _Optional[_Union[RuleSettings, _Mapping]] = ...) -> None: ...

class RuleSet(_message.Message):
    __slots__ = ["rules"]
    RULES_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[RuleSettings]
    def __init__(self, rules: _Optional[_Iterable[_Union[RuleSettings, _Mapping]]] = ...) -> None: ...

class RuleSettings(_message.Message):
    __slots__ = ["enabled", "except_layers", "layers", "roles", "rule", "severities", "thresholds"]
    class ThresholdsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    EXCEPT_LAYERS_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    SEVERITIES_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    except_layers: _containers.RepeatedScalarFieldContainer[str]
    layers: _containers.RepeatedScalarFieldContainer[str]
    roles: _containers.RepeatedScalarFieldContainer[_model_pb2.TensorRole]
    rule: str
    severities: _containers.RepeatedCompositeFieldContainer[SeverityChange]
    thresholds: _containers.ScalarMap[str, float]
    def __init__(self, rule: _Optional[str] = ..., enabled: bool = ..., thresholds: _Optional[_Mapping[str, float]] = ..., severities: _Optional[_Iterable[_Union[SeverityChange, _Mapping]]] = ..., layers: _Optional[_Iterable[str]] = ..., except_layers: _Optional[_Iterable[str]] = ..., roles: _Optional[_Iterable[_Union[_model_pb2.TensorRole, str]]] = ...) -> None: ...

class RuleThreshold(_message.Message):
    __slots__ = ["effective", "maximum", "meaning", "minimum", "name", "standard"]
    EFFECTIVE_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    MEANING_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STANDARD_FIELD_NUMBER: _ClassVar[int]
    effective: float
    maximum: float
    meaning: str
    minimum: float
    name: str
    standard: float
    def __init__(self, name: _Optional[str] = ..., standard: _Optional[float] = ..., minimum: _Optional[float] = ..., maximum: _Optional[float] = ..., meaning: _Optional[str] = ..., effective: _Optional[float] = ...) -> None: ...

class SeverityChange(_message.Message):
    __slots__ = ["to"]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    to: _alert_pb2.Severity
    def __init__(self, to: _Optional[_Union[_alert_pb2.Severity, str]] = ..., **kwargs) -> None: ...
