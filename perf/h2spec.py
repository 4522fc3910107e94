"""
The gRPC port of a running bridge against h2spec, section by section.

    python perf/h2spec.py --save h2spec        # perf/peers/build-h2spec builds it
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import lab

H2SPEC = lab.PEERS / "bin/h2spec"
ANSWER_S = "2"


def report(port: int) -> ElementTree.Element:
    """What h2spec says of a port, as JUnit writes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.xml"
        command = [str(H2SPEC), "-h", "127.0.0.1", "-p", str(port), "-o", ANSWER_S, "-j", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if not path.exists():
            raise SystemExit(f"h2spec gave no report:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return ElementTree.parse(path).getroot()


def main() -> int:
    """Run from the command line; writes ``perf/results/`` with --save."""
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--save", default="", help="name of the result file; empty only prints")
    options = parser.parse_args()
    port, metrics = lab.free_port(), lab.free_port()
    config = lab.write_config(
        f"""
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters: {{nop: {{}}}}
service:
  telemetry: {{metrics: {{address: "127.0.0.1:{metrics}"}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}
"""
    )
    with lab.running("bridge", lab.bridge_command(config), port) as bridge:
        found = report(port)
        alive = bridge.popen.poll() is None
    counts: dict[str, Counter[str]] = {}
    failed = []
    for suite in found.iter("testsuite"):
        name = f"{(suite.get('package') or '').partition('/')[0]} {suite.get('name')}".strip()
        for case in suite.iter("testcase"):
            bad = case.find("failure") is not None or case.find("error") is not None
            word = "failed" if bad else "skipped" if case.find("skipped") is not None else "passed"
            counts.setdefault(name, Counter())[word] += 1
            if word != "passed":
                failed.append(f"{name}: {case.get('classname')} {word}")
    total = sum(counts.values(), Counter[str]())
    lines = ["# h2spec against the gRPC port", ""]
    lines += [f"- {key}: {value}" for key, value in lab.machine().items()]
    lines += [
        "- command: `perf/peers/build-h2spec && PYTHONPATH=. python perf/h2spec.py --save h2spec`",
        f"- h2spec 2.2.1: {total.total()} tests, {total['passed']} passed, {total['skipped']} "
        f"skipped, {total['failed']} failed; the process " + ("went on" if alive else "ENDED"),
        *(f"- {line}" for line in failed),
        "",
        "| section | tests | passed |",
        "|---|--:|--:|",
        *(f"| {name} | {one.total()} | {one['passed']} |" for name, one in counts.items()),
    ]
    lab.report(options.save, lines)
    return 0 if alive and not failed and total.total() else 1


if __name__ == "__main__":
    sys.exit(main())
