"""Metrics of receivers, processors and exporters of any kind, and of the process."""

from bridge.telemetry.metric_spec import COUNTER, GAUGE, HISTOGRAM, SIZES, SIZES_BYTES, row

RECEIVERS = (
    row(
        "otelcol_receiver_accepted_{items}",
        COUNTER,
        "Items whose custody was taken over.",
        *("receiver", "transport"),
    ),
    row(
        "otelcol_receiver_refused_{items}",
        COUNTER,
        "Items that were not taken and may be sent again.",
        *("receiver", "transport"),
    ),
    row(
        "otelcol_receiver_failed_{items}",
        COUNTER,
        "Items that were not taken because of a fault of ours.",
        *("receiver", "transport"),
    ),
    row(
        "bridge_receiver_requests",
        COUNTER,
        "Requests by how they were answered.",
        *("receiver", "transport", "outcome"),
    ),
    row("bridge_receiver_connections", GAUGE, "Open connections.", "receiver", "transport"),
    row(
        "bridge_receiver_connections_closed",
        COUNTER,
        "Connections that ended, by reason.",
        *("receiver", "transport", "reason"),
    ),
    row(
        "bridge_receiver_in_flight_bytes",
        GAUGE,
        "Bytes of requests that are buffered or being delivered.",
        "receiver",
        unit="bytes",
    ),
    row(
        "bridge_receiver_in_flight_limit_bytes",
        GAUGE,
        "Above this requests are refused with a hint (max_in_flight_mib).",
        "receiver",
        unit="bytes",
    ),
)

PROCESSORS = (
    row(
        "otelcol_processor_incoming_items",
        COUNTER,
        "Items that a processor was given.",
        *("processor", "otel_signal"),
    ),
    row(
        "otelcol_processor_outgoing_items",
        COUNTER,
        "Items that a processor passed on.",
        *("processor", "otel_signal"),
    ),
    row(
        "otelcol_processor_memory_limiter_accepted_{items}",
        COUNTER,
        "Items let through below the memory limit.",
        "processor",
    ),
    row(
        "otelcol_processor_memory_limiter_refused_{items}",
        COUNTER,
        "Items refused with a hint above the memory limit.",
        "processor",
    ),
    row(
        "otelcol_processor_batch_batch_send_size",
        HISTOGRAM,
        "Items of each batch sent.",
        "processor",
        bounds=SIZES,
    ),
    row(
        "otelcol_processor_batch_batch_send_size_bytes",
        HISTOGRAM,
        "Bytes of each batch sent.",
        "processor",
        unit="bytes",
        bounds=SIZES_BYTES,
    ),
    row(
        "otelcol_processor_batch_batch_size_trigger_send",
        COUNTER,
        "Batches sent because they were large enough.",
        "processor",
    ),
    row(
        "otelcol_processor_batch_timeout_trigger_send",
        COUNTER,
        "Batches sent because their time was up.",
        "processor",
    ),
    row(
        "bridge_processor_batch_idle_trigger_send",
        COUNTER,
        "Batches sent because nothing was under way.",
        "processor",
    ),
    row(
        "bridge_processor_batch_memory_trigger_send",
        COUNTER,
        "Batches sent because too many bytes waited.",
        "processor",
    ),
    row(
        "bridge_processor_batch_stop_trigger_send",
        COUNTER,
        "Batches sent because the processor stopped.",
        "processor",
    ),
    row(
        "otelcol_processor_batch_metadata_cardinality",
        GAUGE,
        "Combinations of metadata that wait or are under way.",
        *("processor", "pipeline"),
    ),
    row(
        "bridge_processor_batch_pending_bytes",
        GAUGE,
        "Bytes that wait for company.",
        *("processor", "pipeline"),
        unit="bytes",
    ),
    row("otelcol_processor_filter_spans_filtered", COUNTER, "Spans dropped.", "filter"),
    row("otelcol_processor_filter_logs_filtered", COUNTER, "Log records dropped.", "filter"),
    row("otelcol_processor_filter_datapoints_filtered", COUNTER, "Points dropped.", "filter"),
    row(
        "otelcol_processor_probabilistic_sampler_count_traces_sampled",
        COUNTER,
        "Spans that were judged, by what decided and how.",
        *("policy", "sampled"),
    ),
    row(
        "otelcol_processor_probabilistic_sampler_count_logs_sampled",
        COUNTER,
        "Log records that were judged, by what decided and how.",
        *("policy", "sampled"),
    ),
    row(
        "bridge_ottl_errors",
        COUNTER,
        "Items on which a statement or condition failed.",
        *("processor", "statement"),
    ),
)

EXPORTERS = (
    row("otelcol_exporter_sent_{items}", COUNTER, "Items that the other side took.", "exporter"),
    row(
        "otelcol_exporter_send_failed_{items}",
        COUNTER,
        "Items whose delivery ended in an error; what Kafka or the sender still has comes again.",
        "exporter",
    ),
    row(
        "otelcol_exporter_queue_size",
        GAUGE,
        "Deliveries that wait for their turn, in the unit of sending_queue.sizer.",
        "exporter",
    ),
    row("otelcol_exporter_queue_capacity", GAUGE, "sending_queue.queue_size.", "exporter"),
    row("otelcol_exporter_in_flight_requests", GAUGE, "Attempts under way.", "exporter"),
    row("bridge_exporter_retries", COUNTER, "Attempts that were repeated.", "exporter"),
    row(
        "bridge_exporter_rejected_items",
        COUNTER,
        "Items that were rejected for good and reported as such; never sent again.",
        *("exporter", "signal"),
    ),
    row(
        "bridge_exporter_possible_duplicates",
        COUNTER,
        "Items that may have been written although their sender was told to send them again.",
        *("exporter", "signal"),
    ),
    row(
        "bridge_exporter_dead_lettered_items",
        COUNTER,
        "Items too large for their topic that went to the dead letter topic.",
        "exporter",
    ),
    row(
        "bridge_fan_out_retries",
        COUNTER,
        "Deliveries to one branch that were repeated.",
        *("fan_out", "branch"),
    ),
    row(
        "bridge_fan_out_refused_items",
        COUNTER,
        "Items that one branch refused for good.",
        *("fan_out", "branch"),
    ),
    row(
        "bridge_fan_out_waited_seconds",
        COUNTER,
        "Time in which everyone waited for this branch alone.",
        *("fan_out", "branch"),
        unit="seconds",
    ),
)

LEDGER = (
    row(
        "bridge_ledger_items",
        COUNTER,
        "Items that came into the hands of a component, and what became of them, by column.",
        *("component", "signal", "column"),
    ),
    row(
        "bridge_ledger_in_flight_items",
        GAUGE,
        "Items that a component holds, counted where they are.",
        *("component", "signal"),
    ),
    row(
        "bridge_ledger_imbalance",
        GAUGE,
        "Items that came in and have no name, or two if negative: 0, or a fault of the bridge.",
        *("component", "signal"),
    ),
)

PROCESS = (
    row("otelcol_process_uptime", COUNTER, "Time since the process started.", unit="seconds"),
    row(
        "otelcol_process_cpu_seconds",
        COUNTER,
        "CPU time of the process, user and system.",
        unit="seconds",
    ),
    row("otelcol_process_memory_rss", GAUGE, "Resident memory.", unit="bytes"),
    row("bridge_process_tasks", GAUGE, "Tasks of the event loop: steady under a steady load."),
    row("bridge_process_open_files", GAUGE, "Open files and sockets."),
    row(
        "bridge_config_reload_attempts",
        COUNTER,
        "Times that SIGHUP had the configuration read anew: applied, unchanged or refused.",
        "result",
    ),
    row(
        "bridge_config_reload_last_successful",
        GAUGE,
        "1 if the configuration as it was read last is the one that runs, 0 if it was refused.",
    ),
    row(
        "bridge_config_reload_success_timestamp",
        GAUGE,
        "When the running configuration was read, since the epoch.",
        unit="seconds",
    ),
    row("bridge_own_spans_sent", COUNTER, "Spans of service.telemetry.traces that were taken."),
    row(
        "bridge_own_spans_dropped",
        COUNTER,
        "Spans of service.telemetry.traces that were not: too many waited, or not in time.",
        "reason",
    ),
    row("bridge_workers_running", GAUGE, "Workers that run, with run --workers."),
    row(
        "bridge_worker_restarts",
        COUNTER,
        "Times that a worker which had ended by itself was started again.",
        "worker",
    ),
)
