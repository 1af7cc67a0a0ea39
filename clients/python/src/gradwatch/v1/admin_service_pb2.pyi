from google.protobuf import timestamp_pb2 as _timestamp_pb2
from gradwatch.v1 import run_pb2 as _run_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
RETENTION_LIMIT_AGE: RetentionLimit
RETENTION_LIMIT_BYTES: RetentionLimit
RETENTION_LIMIT_RUNS: RetentionLimit
RETENTION_LIMIT_UNSPECIFIED: RetentionLimit

class CheckpointRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class CheckpointResponse(_message.Message):
    __slots__ = ["size"]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    size: StoreSize
    def __init__(self, size: _Optional[_Union[StoreSize, _Mapping]] = ...) -> None: ...

class DeleteRunRequest(_message.Message):
    __slots__ = ["force", "run_id"]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    force: bool
    run_id: str
    def __init__(self, run_id: _Optional[str] = ..., force: bool = ...) -> None: ...

class DeleteRunResponse(_message.Message):
    __slots__ = ["run"]
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ...) -> None: ...

class GetStatsRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class GetStatsResponse(_message.Message):
    __slots__ = ["deletions_in_progress", "live_producers", "maximum_live_producers", "maximum_pending_bytes", "pending_bytes", "reports", "resident_bytes", "runs", "size", "started_at", "streams", "subscribers", "unsealed_reports", "uptime_seconds"]
    DELETIONS_IN_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    LIVE_PRODUCERS_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_LIVE_PRODUCERS_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_PENDING_BYTES_FIELD_NUMBER: _ClassVar[int]
    PENDING_BYTES_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBERS_FIELD_NUMBER: _ClassVar[int]
    UNSEALED_REPORTS_FIELD_NUMBER: _ClassVar[int]
    UPTIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    deletions_in_progress: int
    live_producers: int
    maximum_live_producers: int
    maximum_pending_bytes: int
    pending_bytes: int
    reports: ReportCounts
    resident_bytes: int
    runs: int
    size: StoreSize
    started_at: _timestamp_pb2.Timestamp
    streams: int
    subscribers: int
    unsealed_reports: int
    uptime_seconds: float
    def __init__(self, started_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., uptime_seconds: _Optional[float] = ..., resident_bytes: _Optional[int] = ..., size: _Optional[_Union[StoreSize, _Mapping]] = ..., runs: _Optional[int] = ..., unsealed_reports: _Optional[int] = ..., deletions_in_progress: _Optional[int] = ..., live_producers: _Optional[int] = ..., maximum_live_producers: _Optional[int] = ..., pending_bytes: _Optional[int] = ..., maximum_pending_bytes: _Optional[int] = ..., streams: _Optional[int] = ..., subscribers: _Optional[int] = ..., reports: _Optional[_Union[ReportCounts, _Mapping]] = ...) -> None: ...

class ListRetentionRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class ListRetentionResponse(_message.Message):
    __slots__ = ["projects", "standard"]
    PROJECTS_FIELD_NUMBER: _ClassVar[int]
    STANDARD_FIELD_NUMBER: _ClassVar[int]
    projects: _containers.RepeatedCompositeFieldContainer[ProjectRetention]
    standard: Retention
    def __init__(self, standard: _Optional[_Union[Retention, _Mapping]] = ..., projects: _Optional[_Iterable[_Union[ProjectRetention, _Mapping]]] = ...) -> None: ...

class ProjectRetention(_message.Message):
    __slots__ = ["project", "retention"]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    project: str
    retention: Retention
    def __init__(self, project: _Optional[str] = ..., retention: _Optional[_Union[Retention, _Mapping]] = ...) -> None: ...

class PruneRunsRequest(_message.Message):
    __slots__ = ["dry_run", "project", "retention"]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    dry_run: bool
    project: str
    retention: Retention
    def __init__(self, project: _Optional[str] = ..., retention: _Optional[_Union[Retention, _Mapping]] = ..., dry_run: bool = ...) -> None: ...

class PruneRunsResponse(_message.Message):
    __slots__ = ["pruned"]
    PRUNED_FIELD_NUMBER: _ClassVar[int]
    pruned: _containers.RepeatedCompositeFieldContainer[PrunedRun]
    def __init__(self, pruned: _Optional[_Iterable[_Union[PrunedRun, _Mapping]]] = ...) -> None: ...

class PrunedRun(_message.Message):
    __slots__ = ["limit", "run"]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    limit: RetentionLimit
    run: RunFootprint
    def __init__(self, run: _Optional[_Union[RunFootprint, _Mapping]] = ..., limit: _Optional[_Union[RetentionLimit, str]] = ...) -> None: ...

class ReportCounts(_message.Message):
    __slots__ = ["accepted", "duplicate", "early", "refused"]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    EARLY_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    accepted: int
    duplicate: int
    early: int
    refused: int
    def __init__(self, accepted: _Optional[int] = ..., refused: _Optional[int] = ..., duplicate: _Optional[int] = ..., early: _Optional[int] = ...) -> None: ...

class Retention(_message.Message):
    __slots__ = ["maximum_age_seconds", "maximum_bytes", "maximum_runs"]
    MAXIMUM_AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_RUNS_FIELD_NUMBER: _ClassVar[int]
    maximum_age_seconds: float
    maximum_bytes: int
    maximum_runs: int
    def __init__(self, maximum_age_seconds: _Optional[float] = ..., maximum_runs: _Optional[int] = ..., maximum_bytes: _Optional[int] = ...) -> None: ...

class RunFootprint(_message.Message):
    __slots__ = ["bytes", "ended_at", "project", "reports", "run_id"]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    bytes: int
    ended_at: _timestamp_pb2.Timestamp
    project: str
    reports: int
    run_id: str
    def __init__(self, run_id: _Optional[str] = ..., project: _Optional[str] = ..., ended_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., reports: _Optional[int] = ..., bytes: _Optional[int] = ...) -> None: ...

class SetRetentionRequest(_message.Message):
    __slots__ = ["project", "retention"]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    project: str
    retention: Retention
    def __init__(self, project: _Optional[str] = ..., retention: _Optional[_Union[Retention, _Mapping]] = ...) -> None: ...

class SetRetentionResponse(_message.Message):
    __slots__ = ["pruned"]
    PRUNED_FIELD_NUMBER: _ClassVar[int]
    pruned: _containers.RepeatedCompositeFieldContainer[PrunedRun]
    def __init__(self, pruned: _Optional[_Iterable[_Union[PrunedRun, _Mapping]]] = ...) -> None: ...

class StoreSize(_message.Message):
    __slots__ = ["database_bytes", "free_bytes", "write_ahead_log_bytes"]
    DATABASE_BYTES_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    WRITE_AHEAD_LOG_BYTES_FIELD_NUMBER: _ClassVar[int]
    database_bytes: int
    free_bytes: int
    write_ahead_log_bytes: int
    def __init__(self, database_bytes: _Optional[int] = ..., write_ahead_log_bytes: _Optional[int] = ..., free_bytes: _Optional[int] = ...) -> None: ...

class RetentionLimit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
