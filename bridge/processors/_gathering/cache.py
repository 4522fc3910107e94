"""What was decided about traces, for spans that come after the decision."""


class DecisionCache:
    """
    Ids of decided traces with the time of the decision, the most recently used ones.

    Two generations: when the young one is full it becomes the old one, and the old one goes. At
    least *size* ids are remembered and at most twice as many; a look-up costs two set probes and
    nothing is moved about, where a linked list would need twice the memory.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        # What changes: the generations. Ids decided together share one time object. Whoever only
        # wants to know whether an id is remembered may look into both without a call.
        self.young: dict[bytes, float] = {}
        self.old: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self.young) + len(self.old)

    def add(self, trace_id: bytes, at_s: float) -> None:
        """Remember that *trace_id* was decided at *at_s* seconds on the caller's clock."""
        if not self.size:
            return
        if len(self.young) >= self.size and trace_id not in self.young:
            self.old = self.young
            self.young = {}
        self.young[trace_id] = at_s

    def add_many(self, trace_ids: list[bytes], at_s: float) -> None:
        """The same for ids that were decided together."""
        if self.size and len(self.young) + len(trace_ids) <= self.size:
            self.young.update(dict.fromkeys(trace_ids, at_s))
        else:
            for trace_id in trace_ids:
                self.add(trace_id, at_s)

    def get(self, trace_id: bytes) -> float | None:
        """When *trace_id* was decided, or `None`; found ids are kept longer."""
        at_s = self.young.get(trace_id)
        if at_s is not None:
            return at_s
        at_s = self.old.get(trace_id)
        if at_s is not None:
            self.add(trace_id, at_s)
        return at_s
