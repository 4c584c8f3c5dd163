"""What a Locust user writes: the same session as everybody's, with the websocket-client package.

`SESSION=whole` connects for each session; `SESSION=chats` keeps the connection and goes on chatting.
"""

import json
import os
import time

import websocket
from locust import User, constant, events, task

URL = os.environ["TARGET"]
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwcm9iZSJ9.c2lnbmF0dXJl"  # noqa: S105
EVENTS = ("agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed")
FIELDS = (
    "type",
    "data",
    "message_id",
    "run_id",
    "thread_id",
    "user_id",
    "session_id",
    "timestamp",
    "sequence",
)
SAME = ("run_id", "thread_id", "user_id", "session_id")
TLS = {"cert_reqs": 0} if URL.startswith("wss") else {}


def checked(socket, number):
    """Send one message and check the five events of its answer."""
    content = f"candidate-load-u{number}t1"
    data = {"content": content, "agent": "triage", "thread_id": None}
    socket.send(json.dumps({"type": "chat_message", "data": data}))
    first, ids = None, set()
    for place, kind in enumerate(EVENTS, start=1):
        event = json.loads(socket.recv())
        first = first or event
        assert (event["type"], event["sequence"]) == (kind, place)
        assert all(field in event for field in FIELDS)
        assert all(event[field] == first[field] for field in SAME)
        assert event["message_id"] not in ids
        ids.add(event["message_id"])
    assert content in event["data"]["response"]


def connected():
    """Open a connection, with the token in the handshake."""
    return websocket.create_connection(
        URL, timeout=10, subprotocols=["jwt-auth", f"jwt.{TOKEN}"], sslopt=TLS, enable_multithread=False
    )


@events.test_start.add_listener
def begin(environment, **_):
    environment.began_cpu_s = time.process_time()


@events.test_stop.add_listener
def tell(environment, **_):
    made, cpu_s = environment.stats.total.num_requests, time.process_time() - environment.began_cpu_s
    with open(os.environ["TOLD"], "w") as told:  # noqa: PTH123
        json.dump({"made": made, "cpu_s": cpu_s}, told)


class ChatUser(User):
    wait_time = constant(0)
    socket = None
    number = 0

    def measured(self, name, what):
        began = time.perf_counter()
        error = None
        try:
            what()
        except Exception as problem:  # what Locust's own documentation does
            error = problem
        events.request.fire(
            request_type="ws", name=name, response_time=1000 * (time.perf_counter() - began),
            response_length=0, exception=error, context={},
        )  # fmt: skip

    def whole(self):
        self.number += 1
        socket = connected()
        checked(socket, self.number)
        socket.close()

    def chat(self):
        self.number += 1
        self.socket = self.socket or connected()
        checked(self.socket, self.number)

    @task
    def session(self):
        chats = os.environ["SESSION"] == "chats"
        self.measured("chat" if chats else "session", self.chat if chats else self.whole)
