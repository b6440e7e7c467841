"""Traces to an OpenTelemetry collector. A message's trace is found by its key alone, so that its stages meet in one
trace although several processes and a database lie between them. Spans hold no text, no name and no address."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

TIMEOUT = 5
"""Seconds that the collector may take. Nobody waits for it: spans are sent by a thread of their own, and dropped where
they are too many."""


class Collector:
    """Spans to `url`, OTLP over HTTP, without `/v1/traces`. `role` is what this process does."""

    def __init__(self, url: str, role: str) -> None:
        resource = Resource.create({"service.name": "earful", "earful.role": role})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{url.rstrip('/')}/v1/traces", timeout=TIMEOUT)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("earful")

    def span(self, name: str, key: str, began: float, ended: float, values: Mapping[str, str | int]) -> None:
        """A stage of the message with this key. Times are seconds since 1970."""
        digest = hashlib.sha256(key.encode("utf-8", "replace")).digest()
        trace, parent = int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big")
        context = SpanContext(trace or 1, parent or 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        span = self._tracer.start_span(
            name,
            context=set_span_in_context(NonRecordingSpan(context)),
            attributes=dict(values),
            start_time=int(began * 1e9),
        )
        span.end(int(ended * 1e9))

    def close(self) -> None:
        """Send what waits, for a moment; call it in a thread."""
        self._provider.shutdown()
