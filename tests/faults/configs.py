"""The configuration files of the scenarios, as maps; JSON is YAML, so they are written as JSON."""

import json
from typing import Any

Config = dict[str, Any]

SESSION_TIMEOUT_S = 6
COMMIT_INTERVAL_S = 1


def ingest(
    brokers: str, topic: str, grpc: int, http: int, health: int, metrics: int, **kafka: Any
) -> Config:
    """OTLP in, Kafka out."""
    return {
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{health}"}},
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": f"127.0.0.1:{grpc}"},
                    "http": {"endpoint": f"127.0.0.1:{http}"},
                }
            }
        },
        "exporters": {
            "kafka": {"brokers": brokers.split(","), "traces": {"topic": topic}, **kafka}
        },
        "service": {
            "telemetry": {"metrics": {"address": f"127.0.0.1:{metrics}"}},
            "extensions": ["health_check"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["kafka"]}},
        },
    }


def process(
    brokers: str,
    topic: str,
    group: str,
    backend: str,
    health: int,
    metrics: int,
    *,
    exporter: Config | None = None,
    http: bool = False,
    processors: Config | None = None,
    **kafka: Any,
) -> Config:
    """Kafka in, batches or other *processors*, OTLP out over gRPC, or over HTTP."""
    stages = {"batch": {}} if processors is None else processors
    name = "otlphttp" if http else "otlp"
    target = {"endpoint": f"http://{backend}" if http else backend, "tls": {"insecure": True}}
    # Ten seconds between attempts are right for a backend and long for a test.
    retry = {"initial_interval": "200ms", "max_interval": "1s"}
    return {
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{health}"}},
        "receivers": {
            "kafka": {
                "brokers": brokers.split(","),
                "group_id": group,
                "session_timeout": f"{SESSION_TIMEOUT_S}s",
                "heartbeat_interval": "1s",
                "rebalance_timeout": "12s",
                "revoke_timeout": "5s",
                "autocommit": {"interval": f"{COMMIT_INTERVAL_S}s"},
                "error_backoff": {"initial_interval": "200ms", "max_interval": "1s"},
                "traces": {"topics": [topic]},
                **kafka,
            }
        },
        "processors": stages,
        "exporters": {name: {**target, "retry_on_failure": retry, **(exporter or {})}},
        "service": {
            "telemetry": {"metrics": {"address": f"127.0.0.1:{metrics}"}},
            "extensions": ["health_check"],
            "pipelines": {
                "traces": {
                    "receivers": ["kafka"],
                    "processors": list(stages),
                    "exporters": [name],
                }
            },
        },
    }


def text(config: Config) -> str:
    """*config* as a file's content."""
    return json.dumps(config, indent=1)
