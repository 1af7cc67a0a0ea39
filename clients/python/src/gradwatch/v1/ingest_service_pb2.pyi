from gradwatch.v1 import alert_pb2 as _alert_pb2
from gradwatch.v1 import model_pb2 as _model_pb2
from gradwatch.v1 import run_pb2 as _run_pb2
from gradwatch.v1 import step_report_pb2 as _step_report_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Ack(_message.Message):
    __slots__ = ["credits", "refusals", "sequence"]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    credits: int
    refusals: _containers.RepeatedCompositeFieldContainer[Refusal]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ..., refusals: _Optional[_Iterable[_Union[Refusal, _Mapping]]] = ..., credits: _Optional[int] = ...) -> None: ...

class FinishRunRequest(_message.Message):
    __slots__ = ["reason", "run_id", "status"]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    reason: str
    run_id: str
    status: _run_pb2.RunStatus
    def __init__(self, run_id: _Optional[str] = ..., status: _Optional[_Union[_run_pb2.RunStatus, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class FinishRunResponse(_message.Message):
    __slots__ = ["run"]
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ["field", "reason", "sequence"]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    field: str
    reason: str
    sequence: int
    def __init__(self, sequence: _Optional[int] = ..., field: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RegisterRunRequest(_message.Message):
    __slots__ = ["framework", "hyperparameters", "model", "name", "producer", "project", "run_id", "tags"]
    class HyperparametersEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    FRAMEWORK_FIELD_NUMBER: _ClassVar[int]
    HYPERPARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    framework: str
    hyperparameters: _containers.ScalarMap[str, str]
    model: _model_pb2.Model
    name: str
    producer: _run_pb2.Producer
    project: str
    run_id: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, run_id: _Optional[str] = ..., project: _Optional[str] = ..., name: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., hyperparameters: _Optional[_Mapping[str, str]] = ..., framework: _Optional[str] = ..., producer: _Optional[_Union[_run_pb2.Producer, _Mapping]] = ..., model: _Optional[_Union[_model_pb2.Model, _Mapping]] = ...) -> None: ...

class RegisterRunResponse(_message.Message):
    __slots__ = ["producer", "run"]
    PRODUCER_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    producer: _run_pb2.ProducerState
    run: _run_pb2.Run
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ..., producer: _Optional[_Union[_run_pb2.ProducerState, _Mapping]] = ...) -> None: ...

class ReportStepsRequest(_message.Message):
    __slots__ = ["producer_id", "reports", "run_id"]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    producer_id: str
    reports: _containers.RepeatedCompositeFieldContainer[_step_report_pb2.StepReport]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ..., producer_id: _Optional[str] = ..., reports: _Optional[_Iterable[_Union[_step_report_pb2.StepReport, _Mapping]]] = ...) -> None: ...

class ReportStepsResponse(_message.Message):
    __slots__ = ["ack", "gap"]
    ACK_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    ack: Ack
    gap: SequenceGap
    def __init__(self, ack: _Optional[_Union[Ack, _Mapping]] = ..., gap: _Optional[_Union[SequenceGap, _Mapping]] = ...) -> None: ...

class SequenceGap(_message.Message):
    __slots__ = ["expected_sequence", "found_sequence"]
    EXPECTED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FOUND_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    expected_sequence: int
    found_sequence: int
    def __init__(self, expected_sequence: _Optional[int] = ..., found_sequence: _Optional[int] = ...) -> None: ...

class StreamOpen(_message.Message):
    __slots__ = ["alert_cursor", "producer_id", "run_id", "want_alerts"]
    ALERT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WANT_ALERTS_FIELD_NUMBER: _ClassVar[int]
    alert_cursor: int
    producer_id: str
    run_id: str
    want_alerts: bool
    def __init__(self, run_id: _Optional[str] = ..., producer_id: _Optional[str] = ..., want_alerts: bool = ..., alert_cursor: _Optional[int] = ...) -> None: ...

class StreamOpened(_message.Message):
    __slots__ = ["alert_cursor", "credits", "last_sequence", "last_step"]
    ALERT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_STEP_FIELD_NUMBER: _ClassVar[int]
    alert_cursor: int
    credits: int
    last_sequence: int
    last_step: int
    def __init__(self, last_sequence: _Optional[int] = ..., last_step: _Optional[int] = ..., credits: _Optional[int] = ..., alert_cursor: _Optional[int] = ...) -> None: ...

class StreamTelemetryRequest(_message.Message):
    __slots__ = ["open", "report"]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    open: StreamOpen
    report: _step_report_pb2.StepReport
    def __init__(self, open: _Optional[_Union[StreamOpen, _Mapping]] = ..., report: _Optional[_Union[_step_report_pb2.StepReport, _Mapping]] = ...) -> None: ...

class StreamTelemetryResponse(_message.Message):
    __slots__ = ["ack", "alert", "gap", "opened"]
    ACK_FIELD_NUMBER: _ClassVar[int]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    ack: Ack
    alert: _alert_pb2.AlertTransition
    gap: SequenceGap
    opened: StreamOpened
    def __init__(self, opened: _Optional[_Union[StreamOpened, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., gap: _Optional[_Union[SequenceGap, _Mapping]] = ..., alert: _Optional[_Union[_alert_pb2.AlertTransition, _Mapping]] = ...) -> None: ...
