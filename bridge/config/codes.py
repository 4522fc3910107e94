"""
Every problem that a configuration can have, by a code that stays the same for good.

``BR-1...`` are errors, ``BR-2...`` warnings. A code is never used again for something else.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """What a code means and what usually helps."""

    meaning: str
    fix: str


CODES: Mapping[str, Code] = {
    # Reading text.
    "BR-1001": Code(
        "A configuration source cannot be read.",
        "Check the path after --config and that the user of the process may read it.",
    ),
    "BR-1002": Code(
        "The text is not valid YAML.",
        "Correct the marked place; indent with spaces, quote text that holds ': ' or ' #'.",
    ),
    "BR-1003": Code(
        "A key stands twice in one map, so one of its values would be lost.",
        "Remove one, or give the second component a name of its own, as in otlp/backend.",
    ),
    "BR-1004": Code(
        "A YAML alias has no anchor before it, or stands inside its own anchor.",
        "Define the anchor (&name) above the alias (*name).",
    ),
    "BR-1005": Code(
        "The configuration is larger or deeper than any that makes sense.",
        "Look for aliases that repeat each other; split data out of the configuration.",
    ),
    "BR-1006": Code(
        "A part of YAML that has no meaning in a configuration: a tag, a merge or a key.",
        "Write plain keys and values; quote text instead of tagging it.",
    ),
    "BR-1007": Code(
        "A configuration source has a scheme that is not supported.",
        "Use a path, file:PATH, env:NAME or yaml:TEXT.",
    ),
    "BR-1008": Code(
        "A --set option is not KEY=VALUE.",
        "Write --set processors.batch.timeout=2s; use :: between keys that hold dots.",
    ),
    "BR-1009": Code(
        "The configuration is not a map of sections.",
        "Begin with receivers:, exporters: and service: at the left margin.",
    ),
    # References.
    "BR-1101": Code(
        "An environment variable that the configuration names is not set.",
        "Set it, or give a default: ${env:NAME:-default}.",
    ),
    "BR-1102": Code(
        "A file that the configuration names by ${file:...} cannot be read.",
        "Check the path and that the user of the process may read it.",
    ),
    "BR-1103": Code(
        "A reference is not ${env:NAME}, ${env:NAME:-default}, ${NAME}, ${file:PATH} or ${yaml:}.",
        "Correct it, or write $$ for a dollar sign that is meant as such.",
    ),
    # Sections and components.
    "BR-1201": Code(
        "A section or a key of `service` that does not exist.",
        "The sections are receivers, processors, exporters, extensions and service.",
    ),
    "BR-1202": Code(
        "Something else stands where a section, a map or a list belongs.",
        "Correct the indentation: components stand one level below their section.",
    ),
    "BR-1203": Code(
        "The name of a component is not type or type/name.",
        "Begin with a letter and write otlp or otlp/backend.",
    ),
    "BR-1204": Code(
        "No component of that type is installed.",
        "otlp-bridge components lists what there is; a plugin must be in the same environment.",
    ),
    "BR-1205": Code(
        "The component exists, but belongs to another section.",
        "Move it to the section that the message names.",
    ),
    "BR-1206": Code(
        "Connectors are not supported.",
        "Let two pipelines share a receiver, or put a Kafka topic between them.",
    ),
    "BR-1207": Code(
        "The Collector has that component, the bridge has not.",
        "Let a Collector in front of or behind the bridge do that part.",
    ),
    "BR-1208": Code(
        "A component is installed but cannot be loaded.",
        "The message holds its own error; reinstall the distribution that brings it.",
    ),
    # Values.
    "BR-1301": Code(
        "A key that does not exist there.",
        "Take one of the keys that the message lists; otlp-bridge explain tells their meaning.",
    ),
    "BR-1302": Code(
        "A value of the wrong kind, or out of its range.",
        "Write what the message asks for; quote digits that are meant as text.",
    ),
    "BR-1303": Code("A key that must be given is missing.", "Add it."),
    "BR-1304": Code(
        "The component refuses a value, or two values do not go together.",
        "The message is the component's own; otlp-bridge explain tells the meaning of the keys.",
    ),
    "BR-1305": Code(
        "A key of the Collector that the bridge does not implement.",
        "Remove it. It is an error because ignoring it would change what you rely on.",
    ),
    # Pipelines and service.
    "BR-1401": Code(
        "There is no pipeline, so nothing would run.",
        "Add service.pipelines with at least one, such as traces.",
    ),
    "BR-1402": Code(
        "The name of a pipeline is not traces, metrics or logs, alone or with /name.",
        "Write for example traces/ingest.",
    ),
    "BR-1403": Code(
        "Profiles are not supported.",
        "Send profiles past the bridge; remove the pipeline.",
    ),
    "BR-1404": Code("A pipeline has no receiver.", "List at least one under receivers."),
    "BR-1405": Code("A pipeline has no exporter.", "List at least one under exporters."),
    "BR-1406": Code(
        "A pipeline or the service names a component that is not defined.",
        "Define it in its section, or correct the name.",
    ),
    "BR-1407": Code("A list names the same component twice.", "Remove one of them."),
    "BR-1408": Code(
        "The component does not support the signal of the pipeline.",
        "Move it to a pipeline of a signal that it supports.",
    ),
    "BR-1409": Code(
        "An authenticator is not among the extensions that run.",
        "Define the extension and list it under service.extensions.",
    ),
    "BR-1410": Code(
        "The bridge's own traces would go to one of its own receivers and feed themselves.",
        "Send them to a backend or to another Collector, or remove service.telemetry.traces.",
    ),
    # Warnings.
    "BR-2001": Code(
        "A component is defined but no pipeline uses it.",
        "Name it in a pipeline, or remove it.",
    ),
    "BR-2002": Code(
        "A key of service.telemetry that has no effect here.",
        "It may stay; remove it to be rid of the warning.",
    ),
    "BR-2003": Code(
        "memory_limiter is not the first processor, so what stands before it is not protected.",
        "Move it to the front.",
    ),
    "BR-2004": Code(
        "A batch whose work is done elsewhere, so it passes everything through.",
        "Remove it. In front of Kafka it caps batches if you set send_batch_max_size; behind a "
        "sampler it joins what was sampled.",
    ),
    "BR-2005": Code(
        "Tail sampling is fed by OTLP directly: a sender cannot wait for a decision, so it is "
        "answered on entry, and a crash loses what is undecided, as in the Collector.",
        "Put Kafka between: one pipeline from otlp to kafka, one from kafka to tail_sampling.",
    ),
    "BR-2006": Code(
        "num_traces caps the traces held; above its rate traces are decided before their time.",
        "Remove it: memory is bounded in bytes by memory_limit_mib.",
    ),
    "BR-2007": Code(
        "A secret stands in the configuration itself.",
        "Write ${env:NAME} or ${file:PATH} and keep the secret out of the file.",
    ),
    "BR-2008": Code(
        "A processor that removes data stands behind one that groups it, which costs work.",
        "Put filter and samplers before batch.",
    ),
    "BR-2009": Code(
        "A receiver listens on all interfaces without TLS: everybody can read what is sent.",
        "Bind localhost or the address of the pod, or set tls.cert_file and tls.key_file.",
    ),
    "BR-2010": Code(
        "The status page listens on all interfaces and asks for no password: whoever reaches it "
        "sees names, errors and samples of data.",
        "Set extensions.admin.endpoint to localhost:13134 and reach it by a tunnel: ssh -L, or "
        "kubectl port-forward.",
    ),
    "BR-2011": Code(
        "Two processors of one pipeline gather traces: what the first one delivers waits for the "
        "decision of the second, so that few batches at a time get through.",
        "Leave groupbytrace out: tail_sampling gathers traces by itself.",
    ),
}
"""Code to meaning, in ascending order."""
