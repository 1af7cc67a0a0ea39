from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
RUN_STATUS_ABORTED: RunStatus
RUN_STATUS_FAILED: RunStatus
RUN_STATUS_FINISHED: RunStatus
RUN_STATUS_RUNNING: RunStatus
RUN_STATUS_UNSPECIFIED: RunStatus

class OpenAlertCounts(_message.Message):
    __slots__ = ["critical", "info", "warning"]
    CRITICAL_FIELD_NUMBER: _ClassVar[int]
    INFO_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    critical: int
    info: int
    warning: int
    def __init__(self, info: _Optional[int] = ..., warning: _Optional[int] = ..., critical: _Optional[int] = ...) -> None: ...

class Producer(_message.Message):
    __slots__ = ["producer_id", "rank", "world_size"]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    WORLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    producer_id: str
    rank: int
    world_size: int
    def __init__(self, producer_id: _Optional[str] = ..., rank: _Optional[int] = ..., world_size: _Optional[int] = ...) -> None: ...

class ProducerState(_message.Message):
    __slots__ = ["last_received_at", "last_sequence", "last_step", "producer"]
    LAST_RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_STEP_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_FIELD_NUMBER: _ClassVar[int]
    last_received_at: _timestamp_pb2.Timestamp
    last_sequence: int
    last_step: int
    producer: Producer
    def __init__(self, producer: _Optional[_Union[Producer, _Mapping]] = ..., last_sequence: _Optional[int] = ..., last_step: _Optional[int] = ..., last_received_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ["created_at", "finished_at", "framework", "hyperparameters", "last_step", "layer_count", "name", "open_alerts", "producers", "project", "run_id", "status", "status_reason", "tags", "tensor_count"]
    class HyperparametersEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    FRAMEWORK_FIELD_NUMBER: _ClassVar[int]
    HYPERPARAMETERS_FIELD_NUMBER: _ClassVar[int]
    LAST_STEP_FIELD_NUMBER: _ClassVar[int]
    LAYER_COUNT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OPEN_ALERTS_FIELD_NUMBER: _ClassVar[int]
    PRODUCERS_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STATUS_REASON_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    TENSOR_COUNT_FIELD_NUMBER: _ClassVar[int]
    created_at: _timestamp_pb2.Timestamp
    finished_at: _timestamp_pb2.Timestamp
    framework: str
    hyperparameters: _containers.ScalarMap[str, str]
    last_step: int
    layer_count: int
    name: str
    open_alerts: OpenAlertCounts
    producers: _containers.RepeatedCompositeFieldContainer[ProducerState]
    project: str
    run_id: str
    status: RunStatus
    status_reason: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    tensor_count: int
    def __init__(self, run_id: _Optional[str] = ..., project: _Optional[str] = ..., name: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., hyperparameters: _Optional[_Mapping[str, str]] = ..., framework: _Optional[str] = ..., status: _Optional[_Union[RunStatus, str]] = ..., status_reason: _Optional[str] = ..., created_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., finished_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., layer_count: _Optional[int] = ..., tensor_count: _Optional[int] = ..., producers: _Optional[_Iterable[_Union[ProducerState, _Mapping]]] = ..., last_step: _Optional[int] = ..., open_alerts: _Optional[_Union[OpenAlertCounts, _Mapping]] = ...) -> None: ...

class RunStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
