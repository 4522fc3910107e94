"""
Every finding of the doctor, by a code that stays the same for good: ``BR-3...``.

``otlp-bridge explain BR-3301`` shows the entry. A code is never used again for something else.
"""

from collections.abc import Mapping

from bridge.config import Code

DOCTOR_CODES: Mapping[str, Code] = {
    "BR-3000": Code("Looked at, and good.", "Nothing need be done."),
    "BR-3001": Code(
        "The embedded broker is for trying out: there is nothing to look at.",
        "Name real brokers before data matters.",
    ),
    # Brokers.
    "BR-3101": Code("The name of a broker does not resolve.", "Correct brokers, or the DNS."),
    "BR-3102": Code(
        "Nothing answers at a broker's address.",
        "Start the broker, correct host and port, or open the firewall.",
    ),
    "BR-3103": Code(
        "The certificate of a broker is not accepted: unknown authority, wrong name, or expired.",
        "Set tls.ca_file to its authority, tls.server_name_override to its name, or renew it.",
    ),
    "BR-3104": Code(
        "One side speaks TLS and the other does not.",
        "Use the port of the listener that fits, or add or remove the tls section.",
    ),
    "BR-3105": Code(
        "The certificate of a broker, or of an authority that it comes from, ends soon.",
        "Renew it before it ends.",
    ),
    "BR-3106": Code(
        "A broker refuses the credentials.",
        "Correct auth.sasl, or create the user at the brokers.",
    ),
    "BR-3107": Code(
        "The SASL mechanism is not enabled at the listener.",
        "Choose one that the finding names, or enable it in sasl.enabled.mechanisms.",
    ),
    "BR-3108": Code(
        "The cluster sends its clients to an address that cannot be reached from here.",
        "Correct advertised.listeners of the broker.",
    ),
    "BR-3109": Code(
        "Something answers at a broker's address, but not as a broker that lets us in.",
        "Use the port of the listener that fits tls and auth.",
    ),
    "BR-3110": Code(
        "Certificates are not verified: whoever answers is believed to be the broker.",
        "Remove insecure_skip_verify and set tls.ca_file.",
    ),
    "BR-3111": Code(
        "A password or token travels in the clear.",
        "Use TLS, or a SCRAM mechanism.",
    ),
    "BR-3112": Code(
        "The tls or auth section cannot be used: a file or a library is missing.",
        "Correct what the finding names.",
    ),
    "BR-3113": Code("The cluster does not answer questions about topics.", "See its logs."),
    # Rights.
    "BR-3201": Code("The right to write a topic is missing.", "Run the kafka-acls command."),
    "BR-3202": Code("The right to read a topic is missing.", "Run the kafka-acls command."),
    "BR-3203": Code("The right to read a group is missing.", "Run the kafka-acls command."),
    "BR-3204": Code(
        "The right to write idempotently is missing, which required_acks all needs.",
        "Run the kafka-acls command; since Kafka 3.0 the right to write any topic is enough.",
    ),
    "BR-3205": Code(
        "The settings of a topic may not be read, so its size limit is not known beforehand.",
        "Run the kafka-acls command.",
    ),
    "BR-3206": Code(
        "The brokers do not tell what a client may do; they are older than Kafka 2.3.",
        "Check the ACLs by kafka-acls --list.",
    ),
    # Topics.
    "BR-3301": Code("A topic does not exist.", "Create it."),
    "BR-3302": Code(
        "A topic has fewer replicas, or fewer in sync, than min.insync.replicas wants: writes with "
        "acks all are refused.",
        "Bring brokers back, or lower min.insync.replicas below the number of replicas.",
    ),
    "BR-3303": Code("A topic has one replica.", "Give it three, on three brokers."),
    "BR-3304": Code(
        "min.insync.replicas is 1: a broker that fails may take acknowledged data with it.",
        "Set it to 2 with three replicas.",
    ),
    "BR-3305": Code(
        "max.message.bytes of a topic is below producer.max_message_bytes.",
        "Raise the one or lower the other.",
    ),
    "BR-3306": Code(
        "Records are stamped by their writers, and traces are held by the time of records.",
        "Set message.timestamp.type=LogAppendTime.",
    ),
    "BR-3307": Code(
        "A topic keeps records for less time than an outage or decision_wait may last.",
        "Raise retention.ms.",
    ),
    "BR-3308": Code("A topic of telemetry is compacted.", "Set cleanup.policy=delete."),
    "BR-3309": Code("A topic that is read has one partition.", "Give it more."),
    "BR-3310": Code("A partition has no leader.", "Bring its brokers back."),
    "BR-3311": Code("Replicas are not in sync.", "Bring brokers back, or wait."),
    "BR-3312": Code("Brokers compress batches again.", "Set compression.type=producer."),
    "BR-3313": Code("No topic matches a receiver's pattern.", "Create one, or correct it."),
    "BR-3314": Code("The brokers answer a question about a topic by an error.", "See their logs."),
    "BR-3315": Code(
        "Dead letters of the largest records do not fit into their topic.",
        "Raise max.message.bytes of the topic of dead letters.",
    ),
    "BR-3316": Code(
        "A decision_topic does not forget as it should: it keeps one record a trace for a time.",
        "Set cleanup.policy=compact,delete, and retention.ms not below decision_topic.time_span.",
    ),
    "BR-3317": Code(
        "A decision_topic has fewer partitions than the topic that traces are read from.",
        "Give it as many: decisions are written to the partition of their traces.",
    ),
    # Records.
    "BR-3401": Code(
        "Traces in a topic are not where our exporter would put them, or on several partitions.",
        "Let every writer key by trace id and hash in the same way.",
    ),
    "BR-3402": Code(
        "Records are not what the configuration says they are.", "Correct the encoding."
    ),
    "BR-3403": Code("A topic holds no records to compare with.", "Run doctor again later."),
    "BR-3404": Code("A clock is ahead or behind.", "Set the clocks by NTP."),
    "BR-3405": Code("The newest records cannot be read.", "See the finding's cause."),
    # Groups.
    "BR-3501": Code(
        "Members of the group share partitions in a way that this receiver does not offer.",
        "Stop them first, let all offer the same strategy, or take a group_id of its own.",
    ),
    "BR-3502": Code("A group is behind.", "Add members, or see why the backend is slow."),
    "BR-3503": Code(
        "Records were deleted before the group finished them.",
        "They are lost; raise retention.ms and add members.",
    ),
    "BR-3504": Code(
        "A group has committed nothing yet.", "Nothing need be done: initial_offset decides."
    ),
    "BR-3505": Code("A group has more members than partitions.", "Run fewer, or add partitions."),
    "BR-3506": Code(
        "A group committed an offset beyond the end of a partition.",
        "Reset its offsets: otlp-bridge offsets reset.",
    ),
    "BR-3507": Code("How far a group is cannot be seen.", "See the finding's cause."),
    "BR-3508": Code(
        "No broker takes care of a group.",
        "Bring the brokers of __consumer_offsets back, or correct its replication factor.",
    ),
    "BR-3509": Code(
        "Members of the group speak the newer consumer protocol (KIP-848).",
        "Nothing need be done: Kafka 4 lets members of both protocols share a group.",
    ),
    # Backends.
    "BR-3601": Code("A backend does not take data now.", "Start it, or correct the endpoint."),
    "BR-3602": Code(
        "A backend refuses us, or the exporter cannot be built.",
        "Correct headers, auth and tls of the exporter.",
    ),
    "BR-3603": Code(
        "A backend refuses an empty request.",
        "See whether it takes the signal, and whether the path is right.",
    ),
    "BR-3604": Code("A backend says something about what it took.", "Read it."),
    # This machine.
    "BR-3701": Code("A port is taken by another program.", "Stop it, or take another port."),
    "BR-3702": Code("Fewer files may be open than connections are allowed.", "Raise the limit."),
    "BR-3703": Code(
        "More memory may be held than there is.",
        "Raise the container's limit, or lower the bounds that the finding names.",
    ),
    "BR-3704": Code("A bridge runs here already.", "Stop it before another one is started."),
    "BR-3705": Code(
        "An address cannot be listened at.",
        "Take an address of this machine and a port above 1023.",
    ),
    "BR-3706": Code("Two listeners have one address.", "Give one of them another port."),
}
