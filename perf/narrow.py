"""
A narrow way between two processes, in one of its own: so many bytes a second, each direction.

    python perf/narrow.py --target 127.0.0.1:9092 --port 19092 --bytes-per-s 200000
"""

import argparse
import asyncio

import uvloop

from tests.faults.proxy import Network, Proxy


async def serve(proxy: Proxy) -> None:
    """Pass on until cancelled."""
    async with proxy:
        await asyncio.Event().wait()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--target", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bytes-per-s", type=int, default=0, help="0 for no limit")
    options = parser.parse_args()
    host, _, port = options.target.rpartition(":")
    network = Network(bytes_per_s=options.bytes_per_s)
    uvloop.run(serve(Proxy((host, int(port)), options.port, network=network)))


if __name__ == "__main__":
    main()
