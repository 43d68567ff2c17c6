"""Time and histories of a run, and what they say about the time left."""

from __future__ import annotations

import time

from opensirt.radioembolisation.transport.montecarlo.outcome import Progress, Watch


class RunClock:
    """Counts seconds and histories since it was made; tells the watch how far the run is."""

    def __init__(self, watch: Watch) -> None:
        self._start_s = time.perf_counter()
        self._watch = watch
        self._all_histories = 0
        self._scoring_s = 0.0
        self.histories = 0
        """Scored since the pilot run was over."""

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._start_s

    def scored(self, histories: int, since_s: float) -> None:
        """Histories were scored from that moment on until now."""
        self.histories += histories
        self._all_histories += histories
        self._scoring_s += self.elapsed_s - since_s

    def needs_s(self, histories: int) -> float:
        """Seconds that so many histories take at the rate so far."""
        return histories * self._scoring_s / max(self._all_histories, 1)

    def pilot_is_over(self) -> None:
        """Count histories from here."""
        self.histories = 0

    def tell(self, planned: int) -> None:
        """Report how many of the planned histories are scored."""
        done = self.histories
        self._watch(Progress(min(done / planned, 1.0), self.elapsed_s, self.needs_s(max(planned - done, 0)), done))
