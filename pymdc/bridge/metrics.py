"""What the bridge counts, for Prometheus."""

import os

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, values
from prometheus_client.multiprocess import MultiProcessCollector


class Metrics:
    """
    The counts of one bridge.

    :param folder: where the workers of the bridge share their counts, if it has several.
    """

    def __init__(self, folder: str | None = None):
        self._folder = folder
        self._registry = registry = CollectorRegistry()
        if folder is not None:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
            values.ValueClass = values.get_value_class()  # which was chosen when there were no workers yet
        else:
            ProcessCollector(registry=registry)

        self._requests = Counter("pymdc_requests", "Requests answered", ["method", "route", "status"],
                                 registry=registry)
        self._seconds = Histogram("pymdc_request_seconds", "Time from request to answer", ["route"], registry=registry)
        self._received = Counter("pymdc_received_bytes", "Bytes of request bodies", registry=registry)
        self._sent = Counter("pymdc_sent_bytes", "Bytes of answers, shards above all", registry=registry)
        self._refusals = Counter("pymdc_refusals", "Requests refused, by reason", ["reason"], registry=registry)
        #: Uploads under way.
        self.uploads = Gauge(
            "pymdc_uploads", "Uploads under way", registry=registry, multiprocess_mode="livesum",
        )
        #: Tokens by operation (PUSH, PULL) and what became of them (issued, spent).
        self.tokens = Counter("pymdc_tokens", "Tokens of buckets", ["operation", "event"], registry=registry)

    def count(self, exchange):
        self._requests.labels(exchange.method, exchange.route, exchange.status).inc()
        self._seconds.labels(exchange.route).observe(exchange.seconds)
        self._received.inc(exchange.received)
        self._sent.inc(exchange.sent)
        if exchange.error is not None:
            self._refusals.labels(exchange.error.partition(":")[0]).inc()  # behind a colon come details

    def text(self) -> bytes:
        """Return all counts, in the format of Prometheus."""
        registry = self._registry
        if self._folder is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=self._folder)
        return prometheus_client.generate_latest(registry)
