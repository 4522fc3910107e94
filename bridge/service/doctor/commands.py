"""The commands of Kafka's own tools that mend what was found."""

from bridge.service.doctor.demands import Cluster


def set_config(cluster: Cluster, topic: str, setting: str) -> str:
    """Change a setting of a topic, such as ``retention.ms=604800000``."""
    return (
        f"kafka-configs --bootstrap-server {cluster.broker} --alter --entity-type topics "
        f"--entity-name {topic} --add-config {setting}"
    )


def create_topic(cluster: Cluster, topic: str, partitions: int, replicas: int) -> str:
    """Bring a topic into being."""
    extra = " --config min.insync.replicas=2" if replicas >= 3 else ""
    return (
        f"kafka-topics --bootstrap-server {cluster.broker} --create --topic {topic} "
        f"--partitions {partitions} --replication-factor {replicas}{extra}"
    )


def allow(cluster: Cluster, operations: list[str], resource: str) -> str:
    """Give us rights; *resource* is as in ``--topic otlp_spans`` or ``--cluster``."""
    flags = " ".join(f"--operation {name}" for name in operations)
    return (
        f"kafka-acls --bootstrap-server {cluster.broker} --add --allow-principal "
        f"{cluster.principal} {flags} {resource}"
    )
