"""
What the Collector has and the bridge has not, so that a message can say so.

Only names, to tell a component or key that somebody uses elsewhere from one that is misspelt. A
name that is missing here merely gets the message for unknown names.

Source:
    The component lists of the Collector's core and contrib distributions, 0.15x.
"""

from collections.abc import Mapping

from bridge.config.nodes import Path


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COLLECTOR_TYPES: Mapping[str, frozenset[str]] = {
    "receivers": _words("""
        active_directory_ds aerospike apache apachespark awscloudwatch awscontainerinsightreceiver
        awsecscontainermetrics awsfirehose awss3 awsxray azureblob azureeventhub azuremonitor
        carbon chrony cloudflare cloudfoundry collectd couchdb datadog docker_stats elasticsearch
        expvar faro filelog file_log filestats flinkmetrics fluentforward github gitlab
        googlecloudmonitoring googlecloudpubsub googlecloudspanner haproxy hostmetrics httpcheck
        huaweicloudces iis influxdb jaeger jmx journald k8s_cluster k8s_events k8sobjects
        kafkametrics kubeletstats libhoney loki memcached mongodb mongodbatlas mysql namedpipe
        netflow nginx nop nsxt ntp oracledb osquery otelarrow otlpjsonfile podman_stats postgresql
        prometheus prometheusremotewrite pulsar purefa purefb rabbitmq receiver_creator redis riak
        saphana signalfx simpleprometheus skywalking snmp snowflake solace splunk_hec
        splunkenterprise sqlquery sqlserver sshcheck statsd stef syslog systemd tcpcheck tcplog
        tlscheck udplog vcenter vcr wavefront webhookevent windowseventlog
        windowsperfcounters windowsservice yanggrpc zipkin zookeeper
        """),
    "processors": _words("""
        coralogix cumulativetodelta datadog deltatocumulative deltatorate dnslookup geoip
        groupbyattrs interval isolationforest k8sattributes k8s_attributes logdedup logstransform
        lookup metricsgeneration metricstarttime metricstransform queue_batch redaction
        remotetap resourcedetection resource_detection routing schema span spanmetrics
        spanpruning sumologic unroll
        """),
    "exporters": _words("""
        alertmanager alibabacloud_logservice awscloudwatchlogs awsemf awskinesis awss3 awsxray
        azureblob azuredataexplorer azuremonitor bmchelix carbon cassandra clickhouse coralogix
        datadog dataset doris elasticsearch faro googlecloud googlecloudpubsub
        googlecloudstorage googlemanagedprometheus honeycombmarker influxdb jaeger jaeger_thrift
        kinetica load_balancing loadbalancing logging logicmonitor logzio loki mezmo opensearch
        otelarrow otlphttp_json prometheus prometheusremotewrite pulsar rabbitmq sapm
        sematext sentry signalfx splunk_hec stef sumologic syslog tencentcloud_logservice tinybird
        zipkin
        """),
    "extensions": _words("""
        ack asapclient awsproxy avro_log_encoding azureauth azure_auth basicauth bearertokenauth
        cgroupruntime datadog db_storage docker_observer ecs_observer ecs_task_observer
        file_storage googleclientauth headers_setter healthcheckv2 host_observer http_forwarder
        jaeger_encoding jaegerremotesampling json_log_encoding k8s_leader_elector k8s_observer
        kafkatopics_observer memory_ballast memory_limiter oauth2client oidc opamp
        otlp_encoding pprof redis_storage remotetap sigv4auth skywalking_encoding
        sumologic text_encoding zipkin_encoding zpages
        """),
}
"""Types by section. Those that the bridge has need not be missing here; it is asked first."""

_SERVER_KEYS = frozenset(("middlewares", "dialer"))
_CLIENT_KEYS = _words("""
    middlewares balancer_name read_buffer_size write_buffer_size wait_for_ready authority
    proxy_url max_idle_conns max_idle_conns_per_host max_conns_per_host idle_conn_timeout
    disable_keep_alives http2_read_idle_timeout http2_ping_timeout cookies force_attempt_http2
    compression_params profiles_endpoint idle_timeout cache_size
    """)
_TLS_KEYS = frozenset(("tpm", "server_name_override", "include_insecure_cipher_suites"))
_KAFKA_KEYS = _words("""
    profiles profiles_topic aws_msk kerberos plain_text version oauthbearer_token_source broker_addr
    use_kerberos_config_file disable_fast_negotiation partition_processing telemetry
    group_rebalance_strategies default_fetch_size header_extraction exclude_topics
    """)

_KEYS: Mapping[tuple[str, str], frozenset[str]] = {
    ("receivers", "otlp"): _SERVER_KEYS | _TLS_KEYS | {"profiles_url_path"},
    ("receivers", "kafka"): _KAFKA_KEYS | _TLS_KEYS,
    ("exporters", "kafka"): _KAFKA_KEYS | _TLS_KEYS | {"storage"},
    ("exporters", "otlp"): _CLIENT_KEYS | _TLS_KEYS,
    ("exporters", "otlp_http"): _CLIENT_KEYS | _TLS_KEYS,
    ("exporters", "debug"): frozenset(("use_internal_logger", "output_paths", "sending_queue")),
    ("exporters", "file"): frozenset(
        (
            "rotation",
            "compression",
            "group_by",
            "encoding",
            "create_directory",
            "directory_permissions",
            "resource_attribute",
            "max_open_files",
            "sub_path_prefix",
        )
    ),
    ("processors", "batch"): frozenset(),
    ("processors", "memory_limiter"): frozenset(
        (
            "min_gc_interval_when_soft_limited",
            "min_gc_interval_when_hard_limited",
            "max_gc_interval",
            "ballast_size_mib",
        )
    ),
    ("processors", "filter"): frozenset(
        ("profile_conditions", "profiles", "spans", "include", "exclude")
    ),
    ("processors", "transform"): frozenset(("profile_statements", "flatten_data", "shared_cache")),
    ("processors", "tail_sampling"): frozenset(
        (
            "expected_new_traces_per_sec",
            "sample_on_first_match",
            "drop_pending_traces_on_shutdown",
            "maximum_trace_size_bytes",
            "block_on_overflow",
            "tail_storage",
            "sampling_strategy",
            "decision_wait_after_root_received",
            "num_decision_workers",
            "bytes_limiting",
        )
    ),
    ("processors", "groupbytrace"): frozenset(("num_workers", "discard_orphans", "store_on_disk")),
    ("processors", "probabilistic_sampler"): frozenset(
        (
            "attribute_source",
            "from_attribute",
            "sampling_priority",
            "sampling_precision",
            "mode",
            "fail_closed",
            "hash_seed",
        )
    ),
    ("extensions", "health_check"): frozenset(
        (
            "check_collector_pipeline",
            "tls",
            "auth",
            "cors",
            "include_metadata",
            "max_request_body_size",
            "compression_algorithms",
            "response_headers",
        )
    ),
}
"""Keys by kind and type, at any depth. Asked only about keys that the bridge's model refused."""


def is_collector_key(kind: str, type_name: str, path: Path, key: str) -> bool:
    """Whether the Collector's component of that type has *key* below *path*."""
    del path  # Names are distinct enough within one component.
    return key in _KEYS.get((kind, type_name), ())
