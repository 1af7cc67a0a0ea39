"""A Python server that has an answer ready: what the way to a Python client costs, whoever answers.

    python echo.py METHOD < messages

Reads the messages of the answer, each after its length in 4 bytes, prints its port, and sends them to every call of the
method until it is killed.
"""

import contextlib
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures

import grpc


class Answer(grpc.GenericRpcHandler):
    def __init__(self, method: str, messages: list[bytes]):
        self.method, self.messages = method, messages

    def service(self, details):
        if details.method == self.method:
            return grpc.unary_stream_rpc_method_handler(lambda request, context: iter(self.messages))
        return None


@contextlib.contextmanager
def served(method: str, messages: list[bytes]) -> Iterator[str]:
    """Serves the messages in a process of its own; its address."""
    command = [sys.executable, __file__, method]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        with process.stdin as pipe:
            for message in messages:
                pipe.write(struct.pack("<I", len(message)) + message)
        try:
            yield f"127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def main():
    messages, taken = sys.stdin.buffer.read(), 0
    parts = []
    while taken < len(messages):
        (length,) = struct.unpack_from("<I", messages, taken)
        parts.append(messages[taken + 4 : taken + 4 + length])
        taken += 4 + length
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Answer(sys.argv[1], parts),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
