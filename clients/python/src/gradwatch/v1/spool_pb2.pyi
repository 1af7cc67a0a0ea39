from gradwatch.v1 import ingest_service_pb2 as _ingest_service_pb2
from gradwatch.v1 import step_report_pb2 as _step_report_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SpoolRecord(_message.Message):
    __slots__ = ["ending", "registration", "report"]
    ENDING_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    ending: _ingest_service_pb2.FinishRunRequest
    registration: _ingest_service_pb2.RegisterRunRequest
    report: _step_report_pb2.StepReport
    def __init__(self, registration: _Optional[_Union[_ingest_service_pb2.RegisterRunRequest, _Mapping]] = ..., report: _Optional[_Union[_step_report_pb2.StepReport, _Mapping]] = ..., ending: _Optional[_Union[_ingest_service_pb2.FinishRunRequest, _Mapping]] = ...) -> None: ...
