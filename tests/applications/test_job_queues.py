"""Job queues, with workers as processes: RQ, Celery."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

pytestmark = [pytest.mark.applications, pytest.mark.filterwarnings("default")]
Spawn = Callable[..., "subprocess.Popen[bytes]"]
JOBS = 60


def test_rq(url: str, spawn: Spawn, python: str) -> None:
    """Two workers share sixty jobs; what fails is kept, and can be tried again."""
    rq = pytest.importorskip("rq")
    redis = pytest.importorskip("redis")
    connection = redis.Redis.from_url(url)
    queue = rq.Queue(connection=connection)
    jobs = [queue.enqueue("application_jobs.square", number) for number in range(JOBS)]
    wrong = queue.enqueue("application_jobs.fail", "on purpose")
    last = queue.enqueue("application_jobs.square", 100, depends_on=jobs[-1])
    workers = [
        spawn(python, "-m", "rq.cli", "worker", "--burst", "--url", url, "--name", f"w{number}")
        for number in range(2)
    ]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    assert [job.return_value(refresh=True) for job in jobs] == [number**2 for number in range(JOBS)]
    assert last.return_value(refresh=True) == 10_000
    assert wrong.get_status() == "failed"
    registry = rq.registry.FailedJobRegistry(queue=queue)
    assert registry.get_job_ids() == [wrong.id]
    registry.requeue(wrong.id)
    assert queue.get_job_ids() == [wrong.id]
    assert spawn(python, "-m", "rq.cli", "worker", "--burst", "--url", url).wait(120) == 0
    assert registry.get_job_ids() == [wrong.id]
    connection.close()


def test_celery(url: str, spawn: Spawn, python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Single tasks, a group, a chain and a chord; results come back by pub/sub."""
    celery = pytest.importorskip("celery")
    monkeypatch.setitem(os.environ, "APPLICATION_REDIS", url)
    from tests.applications.application_jobs import make_celery

    app = make_celery()
    words = (
        "-A",
        "application_jobs",
        "worker",
        "--pool",
        "prefork",
        "--concurrency",
        "2",
        "--loglevel",
        "INFO",
    )
    spawn(python, "-m", "celery", *words)
    square, total = app.tasks["square"], app.tasks["total"]
    results = [square.delay(number) for number in range(JOBS)]
    assert [result.get(timeout=120) for result in results] == [number**2 for number in range(JOBS)]
    assert celery.group(square.s(number) for number in range(10)).apply_async().get(timeout=120) == [
        number**2 for number in range(10)
    ]
    assert celery.chain(square.s(3), square.s()).apply_async().get(timeout=120) == 81
    chord = celery.chord([square.s(number) for number in range(20)], total.s())
    assert chord.apply_async().get(timeout=120) == sum(number**2 for number in range(20))
    with pytest.raises(ValueError, match="on purpose"):
        app.tasks["fail"].delay("on purpose").get(timeout=120)
    app.close()
