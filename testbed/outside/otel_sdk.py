"""Sends one trace, a counter, a histogram and a log line with OpenTelemetry's own SDK, over HTTP or gRPC.

    pip install opentelemetry-sdk opentelemetry-exporter-otlp
    otel_sdk.py http|grpc ADDRESS KEY
"""

import logging
import sys

from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

protocol, address, key = sys.argv[1:4]
headers = {"authorization": f"Bearer {key}"}
if protocol == "http":
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    def exporter(of, signal, **more):
        return of(endpoint=f"{address}/v1/{signal}", headers=headers, **more)
else:
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    def exporter(of, signal, **more):
        return of(endpoint=address, headers=tuple(headers.items()), insecure=True, **more)

resource = Resource.create({"service.name": f"outside-{protocol}", "service.version": "1.2.3"})
tracers = TracerProvider(resource=resource)
tracers.add_span_processor(BatchSpanProcessor(exporter(OTLPSpanExporter, "traces")))
trace.set_tracer_provider(tracers)

delta = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}
readers = [
    PeriodicExportingMetricReader(exporter(OTLPMetricExporter, "metrics"), export_interval_millis=600_000),
    PeriodicExportingMetricReader(
        exporter(OTLPMetricExporter, "metrics", preferred_temporality=delta), export_interval_millis=600_000
    ),
]
logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(BatchLogRecordProcessor(exporter(OTLPLogExporter, "logs")))
set_logger_provider(logs)
logger = logging.getLogger("outside")
logger.addHandler(LoggingHandler(logger_provider=logs))
logger.setLevel(logging.INFO)

tracer = trace.get_tracer("outside")
meters = {
    kind: MeterProvider(resource=resource, metric_readers=[reader])
    for kind, reader in zip(["cumulative", "delta"], readers)
}
with tracer.start_as_current_span("checkout", kind=trace.SpanKind.SERVER) as span:
    span.set_attribute("http.response.status_code", 500)
    span.set_status(trace.Status(trace.StatusCode.ERROR, "no stock"))
    with tracer.start_as_current_span("reserve"):
        logger.warning("reserved %d of %d", 3, 4)
    for kind, provider in meters.items():
        meter = provider.get_meter("outside")
        counter = meter.create_counter(f"outside.{kind}.orders", unit="{order}")
        counter.add(40, {"shop": "one"})
        counter.add(2, {"shop": "one"})
        took = meter.create_histogram(f"outside.{kind}.took", unit="s")
        for seconds in [0.004, 0.04, 4]:
            took.record(seconds, {"shop": "one"})
print(format(span.get_span_context().trace_id, "032x"))
for provider in [tracers, logs, *meters.values()]:
    provider.force_flush()
    provider.shutdown()
