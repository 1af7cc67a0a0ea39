"""What tools expect of any gRPC server: health, reflection, compression, limits that are told."""

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from client import DEADLINE, Inbox, failure_of
from reports import Recorded, assert_holds, registration, report
from wire import reflection_v1, v1

SERVICES = [
    "gradwatch.v1.AdminService",
    "gradwatch.v1.AlertService",
    "gradwatch.v1.IngestService",
    "gradwatch.v1.QueryService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize("service", ["", *SERVICES[:4]])
def test_health_says_that_the_collector_and_its_services_serve(client, service):
    answer = client.health.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == SERVING


def test_health_does_not_know_another_service(client):
    request = health_pb2.HealthCheckRequest(service="gradwatch.v1.Other")
    assert failure_of(client.health.Check, request).code == grpc.StatusCode.NOT_FOUND
    watch = Inbox(client.health.Watch(request))
    watch.wait(lambda: watch.events, "the first status")
    assert watch.events[0].status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def test_a_health_watcher_hears_of_the_shutdown(collector, client):
    watch = Inbox(client.health.Watch(health_pb2.HealthCheckRequest()))
    watch.wait(lambda: watch.events, "the first status")
    collector.terminate()
    watch.end()
    assert [event.status for event in watch.events] == [SERVING, NOT_SERVING]


def test_reflection_v1alpha_finds_services_methods_and_messages(client):
    database = ProtoReflectionDescriptorDatabase(client.channel)
    assert sorted(database.get_services()) == SERVICES
    pool = DescriptorPool(database)
    service = pool.FindServiceByName("gradwatch.v1.IngestService")
    assert [method.name for method in service.methods] == [
        method.name for method in v1.StreamOpen.DESCRIPTOR.file.services_by_name[
            "IngestService"
        ].methods
    ]
    message = pool.FindMessageTypeByName("gradwatch.v1.StepReport")
    assert message.fields_by_name["gradients"].message_type.full_name == (
        "gradwatch.v1.GradientColumns"
    )
    with pytest.raises(KeyError):
        pool.FindMessageTypeByName("gradwatch.v1.Nothing")


def test_reflection_v1_serves_the_protos_as_they_are(client):
    requests = [
        reflection_v1.ServerReflectionRequest(list_services="*"),
        reflection_v1.ServerReflectionRequest(
            file_containing_symbol="gradwatch.v1.QueryService.ListRuns"
        ),
        reflection_v1.ServerReflectionRequest(file_by_filename="gradwatch/v1/run.proto"),
        reflection_v1.ServerReflectionRequest(file_by_filename="no/such/file.proto"),
    ]
    stub = reflection_v1.ServerReflectionStub(client.channel)
    services, symbol, file, missing = stub.ServerReflectionInfo(iter(requests), timeout=DEADLINE)
    assert sorted(s.name for s in services.list_services_response.service) == SERVICES

    def first(answer) -> FileDescriptorProto:
        files = answer.file_descriptor_response.file_descriptor_proto
        return FileDescriptorProto.FromString(files[0])

    def own(message) -> FileDescriptorProto:
        descriptor = FileDescriptorProto()
        message.DESCRIPTOR.file.CopyToProto(descriptor)
        return descriptor

    def names(descriptor: FileDescriptorProto) -> dict[str, list[tuple[str, int]]]:
        return {
            message.name: [(field.name, field.number) for field in message.field]
            for message in descriptor.message_type
        }

    assert first(symbol).name == "gradwatch/v1/query_service.proto"
    assert names(first(symbol)) == names(own(v1.ListRunsRequest))
    assert names(first(file)) == names(own(v1.Run))
    assert missing.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@pytest.mark.parametrize("encoding", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_requests_are_accepted_on_unary_calls_and_on_streams(client, encoding):
    client.ingest.RegisterRun(registration("packed"), compression=encoding)
    reports = [report(sequence) for sequence in range(1, 21)]
    client.ingest.ReportSteps(
        v1.ReportStepsRequest(run_id="packed", producer_id="trainer", reports=reports[:10]),
        compression=encoding,
    )
    messages = [v1.StreamTelemetryRequest(open={"run_id": "packed", "producer_id": "trainer"})]
    messages += [v1.StreamTelemetryRequest(report=message) for message in reports[10:]]
    answers = client.ingest.StreamTelemetry(iter(messages), compression=encoding)
    assert max(answer.ack.sequence for answer in answers) == 20
    assert_holds(client, "packed", Recorded(reports))


def test_server_info_tells_the_limits_and_the_rules(client):
    info = client.server_info()
    limits = info.limits
    assert info.version and {"exploding_gradient", "vanishing_gradient"} <= set(info.rules)
    assert set(limits.compression) == {"gzip", "deflate"}
    assert limits.maximum_page_size == 1000
    assert limits.maximum_name_bytes == 512
    assert limits.maximum_model_entries == 131_072
    assert limits.stream_credits > 0 and limits.minimum_keepalive_seconds > 0
    client.register(registration("limits"))
    assert client.stream("limits").opened.credits == limits.stream_credits


def test_the_largest_message_that_is_told_is_taken_and_a_larger_one_is_not(client):
    limit = client.server_info().limits.maximum_message_bytes
    assert limit > 4 << 20, "more than the libraries' default"
    call = client.channel.unary_unary("/gradwatch.v1.IngestService/RegisterRun")
    request = registration("large").SerializeToString()
    # An unknown field pads the message to size: its key, a length of four bytes, and zeros.
    for size, is_taken in ((limit, True), (limit + 1, False)):
        length = size - len(request) - 5
        digits = bytes((length >> shift) & 0x7F | 0x80 for shift in (0, 7, 14))
        padding = b"\x7a" + digits + bytes([length >> 21]) + bytes(length)
        assert len(request + padding) == size
        if is_taken:
            call(request + padding, timeout=DEADLINE)
        else:
            failure = failure_of(call, request + padding, timeout=DEADLINE)
            assert failure.code in {
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                grpc.StatusCode.CANCELLED,
                grpc.StatusCode.INTERNAL,
            }
    assert client.server_info().limits.maximum_message_bytes == limit
