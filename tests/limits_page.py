"""
The page of limits, made from the models: ``python tests/limits_page.py > docs/limits.md``.

Each row names the tests that show its limit; `test_promises.py` holds the page to this, and the
names to the tests that there are. With ``--run`` these tests are run, and a dated table in
``perf/results`` says how they ended.
"""

import datetime
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bridge.service import Registry  # noqa: E402 - the same

OTLP, KAFKA_IN, KAFKA_OUT, BASIC = (
    ("receivers", "otlp"),
    ("receivers", "kafka"),
    ("exporters", "kafka"),
    ("extensions", "basicauth"),
)
GRPC, HTTP, KEEP = "protocols.grpc", "protocols.http", "protocols.grpc.keepalive.server_parameters"

LIMITS: Final[dict[tuple[tuple[str, str], str], tuple[str, ...]]] = {
    (OTLP, "max_in_flight_mib"): (
        "test_budget_of_both_transports_is_one",
        "test_compressed_body_over_the_budget_is_refused_while_it_grows",
    ),
    (OTLP, "max_items_per_request"): (
        "test_object_bomb_is_refused_without_objects",
        "test_json_bomb_is_refused_without_objects",
    ),
    (OTLP, "max_value_depth"): ("test_values_nested_too_deep_are_malformed_on_every_transport",),
    (OTLP, "answer_timeout"): ("test_stage_that_hangs_is_answered_for",),
    (OTLP, f"{GRPC}.max_recv_msg_size_mib"): (
        "test_declared_length_of_four_gib_is_refused_by_its_prefix",
        "test_decompression_bomb_stays_within_the_cap",
    ),
    (OTLP, f"{GRPC}.max_concurrent_streams"): ("test_streams_beyond_the_limit_are_refused",),
    (OTLP, f"{GRPC}.max_resets_per_10s"): (
        "test_rapid_resets_end_the_connection",
        "test_rapid_reset_ends_the_connection_cheaply",
    ),
    (OTLP, f"{GRPC}.max_control_frames_per_10s"): (
        "test_control_frame_flood_ends_the_connection",
        "test_continuation_flood_ends_the_connection",
    ),
    (OTLP, f"{GRPC}.max_header_size"): (
        "test_header_list_too_large_resets_its_stream",
        "test_header_bomb_ends_its_connection",
    ),
    (OTLP, f"{GRPC}.max_connections"): ("test_connections_beyond_the_limit_are_closed",),
    (OTLP, f"{GRPC}.handshake_timeout"): ("test_handshake_that_does_not_end_is_closed",),
    (OTLP, f"{GRPC}.read_header_timeout"): ("test_head_that_does_not_come_ends_the_connection",),
    (OTLP, f"{GRPC}.body_progress_timeout"): ("test_body_that_trickles_is_reset",),
    (OTLP, f"{GRPC}.write_timeout"): ("test_peer_that_does_not_read_is_let_go",),
    (OTLP, f"{KEEP}.max_connection_idle"): ("test_idle_connection_is_closed_with_goaway",),
    (OTLP, f"{KEEP}.max_connection_age"): ("test_old_connection_finishes_what_is_on_its_way",),
    (OTLP, f"{KEEP}.max_connection_age_grace"): ("test_old_connection_ends_after_its_grace",),
    (OTLP, f"{KEEP}.time"): ("test_silent_connection_is_pinged_and_closed",),
    (OTLP, f"{KEEP}.timeout"): ("test_silent_connection_is_pinged_and_closed",),
    (OTLP, f"{HTTP}.max_request_body_size"): (
        "test_content_length_of_ten_gib_is_refused_by_the_head",
        "test_chunks_without_end_are_refused_at_the_limit",
        "test_decompression_bomb_stays_within_the_cap",
    ),
    (OTLP, f"{HTTP}.max_header_size"): (
        "test_head_larger_than_its_limit_is_refused_however_it_is_cut",
    ),
    (OTLP, f"{HTTP}.max_connections"): ("test_connections_beyond_the_limit_are_closed",),
    (OTLP, f"{HTTP}.handshake_timeout"): ("test_handshake_that_does_not_end_is_closed",),
    (OTLP, f"{HTTP}.read_header_timeout"): (
        "test_head_that_trickles_is_closed_after_ten_seconds",
        "test_silent_connections_are_let_go",
    ),
    (OTLP, f"{HTTP}.body_progress_timeout"): (
        "test_body_that_trickles_is_closed",
        "test_body_that_stops_is_let_go",
    ),
    (OTLP, f"{HTTP}.write_timeout"): ("test_peer_that_does_not_read_is_let_go",),
    (OTLP, f"{HTTP}.idle_timeout"): ("test_idle_connection_is_closed",),
    (OTLP, f"{HTTP}.max_connection_age"): ("test_old_connection_closes_with_its_next_answer",),
    (BASIC, "slow_checks_per_s"): ("test_who_guesses_holds_up_nobody_else",),
    (BASIC, "remembered"): ("test_guessing_makes_no_known_sender_a_stranger",),
    (KAFKA_IN, "max_value_depth"): ("test_reader_takes_values_nested_too_deep_for_poison",),
    (KAFKA_OUT, "producer.max_buffered_bytes"): (
        "test_budget_is_in_bytes_and_refuses_with_a_hint",
    ),
    (KAFKA_OUT, "producer.max_wait"): (
        "test_what_waits_under_overload_takes_as_long_as_allowed",
        "test_exporter_refuses_what_would_wait_too_long",
    ),
    (KAFKA_OUT, "producer.max_copied_bytes"): (
        "test_copies_above_the_limit_are_too_large_for_good",
        "test_copies_without_room_are_refused_for_now",
    ),
}
"""Component and option, and the tests that show that it holds."""

HEAD: Final = """# Limits

What strangers can make this bridge do is bounded by these options, all of them finite by default.
`otlp-bridge explain receivers.otlp.max_items_per_request` says more of one. Every other number and
time that bounds something, of every component: [bounds](bounds.md).

This page is generated: `python tests/limits_page.py > docs/limits.md`.

| option | default | unit | shown by |
|---|--:|---|---|
"""

UNITS: Final = {
    **dict.fromkeys(("mib",), "MiB"),
    **dict.fromkeys(("bytes", "size"), "bytes"),
    **dict.fromkeys(("timeout", "time", "age", "grace", "idle", "wait"), "s"),
    **dict.fromkeys(("10s",), "in 10 s"),
    **dict.fromkeys(("s",), "a second"),
}
"""The last word of an option's name, and what it is counted in; pieces, if it is none of these."""


def option(component: tuple[str, str], path: str) -> Any:
    """The default of an option."""
    model: Any = Registry().factory(*component).config
    *sections, name = path.split(".")
    for section in sections:
        annotation = model.model_fields[section].annotation
        parts = getattr(annotation, "__args__", (annotation,))
        model = next(part for part in parts if hasattr(part, "model_fields"))
    return model.model_fields[name].get_default(call_default_factory=True)


def unit(path: str) -> str:
    """What an option is counted in."""
    return UNITS.get(path.rpartition(".")[2].rpartition("_")[2], "")


def page(results: dict[str, str] | None = None) -> str:
    """The whole page; with *results*, each test's outcome stands behind it."""
    said = {test: f" {word}" for test, word in (results or {}).items()}
    rows = [
        f"| `{'.'.join(component)}.{path}` | {_shown(option(component, path))} | {unit(path)} | "
        f"{', '.join(f'`{test}`{said.get(test, str())}' for test in tests)} |\n"
        for (component, path), tests in LIMITS.items()
    ]
    return HEAD + "".join(rows)


def run() -> int:
    """Run the named tests, and write the dated table."""
    from tests.faults.table import machine

    names = sorted({test for tests in LIMITS.values() for test in tests})
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        where = ["tests/unit", "tests/integration", "tests/conformance"]
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *where]
        subprocess.run([*command, "-k", " or ".join(names)], cwd=ROOT, check=False)
        found = ElementTree.parse(report).getroot()
    words: dict[str, set[str]] = {name: set() for name in names}
    for case in found.iter("testcase"):
        name = (case.get("name") or "").partition("[")[0]
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        if name in words:
            words[name] |= kinds or {"passed"}
    results = {name: "+".join(sorted(kinds)) or "NOT FOUND" for name, kinds in words.items()}
    good = sum(word == "passed" for word in results.values())
    now = datetime.datetime.now(datetime.UTC)
    made = f"{now:%Y-%m-%d %H:%M} UTC, {machine()}: {good} of {len(names)} tests passed.\n"
    text = page(results).replace("This page is generated: `python tests/limits_page.py > docs/"
                                 "limits.md`.\n", made)  # fmt: skip
    path = ROOT / "perf/results" / f"{now:%Y-%m-%d}-limits.md"
    text = text.replace("](bounds.md)", "](../../docs/bounds.md)")
    path.write_text(text + "\nCommand: `python tests/limits_page.py --run`.\n")
    print(f"{good} of {len(names)} tests passed: {path}")
    return 0 if good == len(names) else 1


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,}"


if __name__ == "__main__":
    if "--run" in sys.argv:
        sys.exit(run())
    sys.stdout.write(page())
