"""The order of a trace: requests that one connection sends, and where they stand in the topic."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc

from bridge.core import Signal
from bridge.testing import Made, trace_request
from bridge.testing.builders import Order
from tests.faults.clients import Clients
from tests.faults.oracle import Oracle
from tests.faults.watch import Stored
from tests.load_clients import EXPORT

IN_FLIGHT = 4
ATTEMPT_TIMEOUT_S = 10.0


@dataclass
class OrderProbe:
    """
    Sends the spans of one trace, several requests at a time on one connection.

    `numbers` gives each span's place in the order of sending, of those that were acknowledged at
    their first attempt: a request that was sent again has no place any more.
    """

    clients: Clients
    oracle: Oracle
    seed: int
    numbers: dict[bytes, int] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Send until *stop*."""
        dice = random.Random(self.seed)
        trace_id = dice.randbytes(16)
        number = 0
        async with grpc.aio.insecure_channel(self.clients.endpoints()[0]) as channel:
            # Before it is connected, a channel may send what waits in another order.
            await channel.channel_ready()
            while not stop.is_set():
                burst = [self._make(trace_id, dice) for _ in range(IN_FLIGHT)]
                calls = [
                    channel.unary_unary(EXPORT)(made.body, timeout=ATTEMPT_TIMEOUT_S)
                    for made in burst
                ]
                for made, call in zip(burst, calls, strict=True):
                    number += 1
                    try:
                        await call
                    except grpc.aio.AioRpcError:
                        self.oracle.resend(made)
                        continue
                    self.oracle.acknowledge(made)
                    self.numbers.update(dict.fromkeys(made.span_ids, number))
                await asyncio.sleep(0.02)

    def _make(self, trace_id: bytes, dice: random.Random) -> Made:
        made = trace_request(1, 1, seed=dice.getrandbits(62), order=Order.SDK)
        old = made.span_ids[0][:16]
        body = made.body.replace(old, trace_id)
        return self.oracle.mint(
            Made(Signal.TRACES, body, made.items, (trace_id + made.span_ids[0][16:],))
        )

    def disorder(self, records: Sequence[Stored]) -> list[tuple[int, int]]:
        """Pairs of neighbours in the topic that stand the wrong way round."""
        first: dict[bytes, None] = {}
        for record in sorted(records, key=lambda r: (r.partition, r.offset)):
            for key in record.ids:
                if key in self.numbers:
                    first.setdefault(key, None)
        places = [self.numbers[key] for key in first]
        return [(a, b) for a, b in itertools.pairwise(places) if a > b]
