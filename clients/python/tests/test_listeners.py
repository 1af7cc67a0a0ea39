"""What is told of alerts, and what is left out when callbacks are slow."""

import dataclasses
import threading

from gradwatch.alert import Alert
from gradwatch.listeners import MAXIMUM_WAITING, Listeners
from gradwatch.v1 import alert_pb2


def alert(name: str, state: str) -> Alert:
    return dataclasses.replace(Alert.of(alert_pb2.Alert(alert_id=name)), state=state)


def blocked() -> tuple[Listeners, threading.Event, list[tuple[str, str]]]:
    """Listeners that hear of the alert `first` and then nothing before the event is set; and what they were told."""
    began, go_on, told = threading.Event(), threading.Event(), []

    def note(alert: Alert) -> None:
        told.append((alert.id, alert.state))
        began.set()
        go_on.wait()

    listeners = Listeners("r")
    listeners.add(note)
    listeners.tell(alert("first", "firing"))
    assert began.wait(60)
    return listeners, go_on, told


def test_all_is_told_in_order(caplog):
    listeners, go_on, told = blocked()
    expected = [(str(i // 2), "resolved" if i % 2 else "firing") for i in range(MAXIMUM_WAITING)]
    for change in expected:
        listeners.tell(alert(*change))
    go_on.set()
    listeners.close(60)
    assert told[1:] == expected and not caplog.text


def test_the_newest_of_each_alert_stays_when_too_many_wait(caplog):
    listeners, go_on, told = blocked()
    for i in range(MAXIMUM_WAITING - 1):
        listeners.tell(alert("often", str(i)))
    for name in "ab":
        listeners.tell(alert(name, "firing"))
    listeners.tell(alert("often", "resolved"))
    go_on.set()
    listeners.close(60)
    last = str(MAXIMUM_WAITING - 2)
    assert told[1:] == [("often", last), ("a", "firing"), ("b", "firing"), ("often", "resolved")]
    assert caplog.text.count("on_alert") == 1
    assert f"run r: on_alert: {MAXIMUM_WAITING - 2} changes were left out: callbacks were busy" in caplog.text


def test_the_oldest_goes_when_too_many_alerts_wait(caplog):
    listeners, go_on, told = blocked()
    for i in range(MAXIMUM_WAITING + 10):
        listeners.tell(alert(str(i), "firing"))
    go_on.set()
    listeners.close(60)
    assert told[1:] == [(str(i), "firing") for i in range(10, MAXIMUM_WAITING + 10)]
    assert "10 changes were left out" in caplog.text


def test_one_who_waits_for_himself_does_not_wait():
    listeners, done = Listeners("r"), threading.Event()
    listeners.add(lambda alert: listeners.wait(60) or done.set())
    listeners.tell(alert("a", "firing"))
    assert done.wait(20)
    listeners.close(60)
