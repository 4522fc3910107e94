"""
Does a span cost the same after twenty minutes? CPU and memory of each minute of a long run.

    python perf/steady.py --minutes 20 --rate 100 --save steady

So many requests a second, whatever the answers do; the topic is checked at the end.
"""

import argparse
import asyncio
from dataclasses import dataclass
from pathlib import Path

import lab
import psutil
from bodies import Requests
from ingest import command
from paced import run_paced

from tests.kafka_server import KafkaServer

SPREAD = 0.10
"""How far the cost of a span may be from the first minute's at most, as a share."""


@dataclass(frozen=True)
class Minute:
    """What one minute cost."""

    cpu_us_a_span: float
    rss_mib: float
    p99_ms: float
    descriptors: int


async def measure(options: argparse.Namespace, bootstrap: str) -> list[Minute]:
    """
    One run of this project.

    Raises:
        lab.LostSpan: If an answer was not OK or a span is not in the topic.
    """
    grpc, http = lab.free_port(), lab.free_port()
    requests = Requests(options.spans)
    async with lab.topic(bootstrap, "perf-steady") as topic:
        arguments = command("bridge", bootstrap, topic, grpc, http)
        with lab.running("bridge", arguments, grpc) as process:
            seen = psutil.Process(process.popen.pid)
            await run_paced("127.0.0.1", grpc, requests, rate=options.rate, seconds=10.0)
            minutes = []
            for number in range(options.minutes):
                before_s, made = process.cpu_s(), requests.made
                result = await run_paced(
                    "127.0.0.1", grpc, requests, rate=options.rate, seconds=60.0
                )
                spans = requests.made - made
                if result.acked * options.spans != spans:
                    raise lab.LostSpan(f"minute {number}: {result.statuses}")
                minutes.append(
                    Minute(
                        (process.cpu_s() - before_s) / spans * 1e6,
                        _rss_mib(process.popen.pid),
                        result.quantile(0.99) * 1e3,
                        seen.num_fds(),
                    )
                )
                print(f"minute {number + 1}: {minutes[-1]}", flush=True)
        ids = range(requests.first_id, requests.first_id + requests.made)
        await lab.verify_topic(bootstrap, topic, ids)
    return minutes


def _rss_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


def _lines(options: argparse.Namespace, minutes: list[Minute]) -> list[str]:
    lines = ["# The cost of a span over a long run", ""]
    lines += [f"- {key}: {value}" for key, value in lab.machine().items()]
    lines += [
        (
            f"- {options.rate:g} requests of {options.spans} spans a second over gRPC, acks all,"
            " zstd, shipped defaults; every span was found in the topic"
        ),
        "",
        "| minute | CPU µs a span | RSS MiB | p99 of the answer, ms | file descriptors |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {number} | {one.cpu_us_a_span:.2f} | {one.rss_mib:.0f} | {one.p99_ms:.1f} |"
        f" {one.descriptors} |"
        for number, one in enumerate(minutes, 1)
    ]
    costs = [one.cpu_us_a_span for one in minutes]
    furthest = max(costs, key=lambda cost: abs(cost / costs[0] - 1))
    lines += [
        "",
        (
            f"The furthest minute costs {furthest / costs[0] - 1:+.0%} of the first"
            f" (goal {SPREAD:.0%});"
            f" the last {costs[-1] / costs[0] - 1:+.0%}."
        ),
    ]
    if len(minutes) > 5:
        grown = minutes[-1].rss_mib / minutes[4].rss_mib - 1
        lines.append(f"Memory at the end is {grown:+.1%} of that of the fifth minute.")
    return lines


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=int, default=20)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--spans", type=int, default=100)
    parser.add_argument("--save", default="", help="name of the result file; empty only prints")
    options = parser.parse_args()
    with KafkaServer(heap_mib=1024, java_options=()) as kafka:
        minutes = asyncio.run(measure(options, kafka.bootstrap))
    lab.report(options.save, _lines(options, minutes))


if __name__ == "__main__":
    main()
