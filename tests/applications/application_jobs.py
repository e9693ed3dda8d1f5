"""Jobs of the queues under test; workers import this module in processes of their own."""

from __future__ import annotations

import os
from typing import Any


def square(number: int) -> int:
    """A job with a result."""
    return number * number


def total(numbers: list[int]) -> int:
    """A job over the results of others."""
    return sum(numbers)


def fail(text: str) -> None:
    """A job that fails."""
    raise ValueError(text)


def make_celery() -> Any:
    """The Celery application, with broker and results on the server under test."""
    from celery import Celery

    url = os.environ["APPLICATION_REDIS"]
    application = Celery("jobs", broker=url, backend=url)
    application.conf.worker_hijack_root_logger = False
    application.conf.broker_connection_retry_on_startup = True
    application.task(name="square")(square)
    application.task(name="total")(total)
    application.task(name="fail")(fail)
    return application


if "APPLICATION_REDIS" in os.environ:
    try:
        app = make_celery()
    except ImportError:  # only one of the queues is installed
        app = None
