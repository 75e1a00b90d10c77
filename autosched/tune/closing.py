"""The end of a run: the final, and the simplification of its winner."""

from __future__ import annotations

from dataclasses import dataclass, replace

from autosched.tune.candidate import CandidateError
from autosched.tune.finals import Contender, Final, play
from autosched.tune.incumbent import Incumbent
from autosched.tune.polish import bare, simplify
from autosched.tune.session import Session
from autosched.tune.study import SIMPLIFIED, Outcome

#: Seconds of each final and of the simplification where no time budget is given.
FINAL_SECONDS = 5.0
SIMPLIFY_SECONDS = 20.0
#: Schedules that trade time for memory which play in the final.
TRADED = 10


@dataclass(frozen=True, eq=False)
class Closing:
    """The end of a session whose search is over. `best` is the search's incumbent, for reports of progress."""

    session: Session
    default: Incumbent
    best: Incumbent

    def final(self) -> Final:
        """Play the fastest few of the study against the default; where memory counts too, also the trade-offs."""
        session, default = self.session, self.default.ready
        timed = [t for t in session.study.fastest() if t.outcome.source != default.source]
        most = session.method.effort.finalists
        if session.method.sampler == "nsga2":
            traded = session.study.trade_offs()[:TRADED]
            timed = [*traded, *(t for t in timed if t not in traded)]
            most += len(traded)
        contenders: list[Contender] = []
        sources = {default.source}
        for trial in timed:
            if len(contenders) == most:
                break
            try:
                ready = session.bench.prepare(trial.schedule)
            except CandidateError:
                continue
            if ready.source not in sources:
                sources.add(ready.source)
                contenders.append(Contender(trial.label, ready))
        return self._play(contenders)

    def simplified(self, final: Final) -> Final:
        """Simplify the winner, then run another final between the simplified and the original schedule.

        On a tie the simpler one wins.
        """
        session = self.session
        seconds = SIMPLIFY_SECONDS
        if session.budget.seconds is not None:
            seconds = session.method.effort.simplify * session.budget.seconds
        # a short one after a short search
        end = session.elapsed() + min(seconds, max(session.elapsed(), SIMPLIFY_SECONDS))

        def over() -> bool:
            session.say("simplify", self.best)
            return session.elapsed() >= end

        session.say("simplify", self.best)  # also where the winner has no directive that could go
        winner = Contender(final.winner.label, session.bench.prepare(final.winner.schedule))
        shorter = bare(session.task.pipeline, session.bench, winner.ready, over)
        if shorter is not winner.ready:  # the same code, which needs no other times
            winner = Contender(winner.label + SIMPLIFIED, shorter)
            self._note(winner, final.winner.speedup.median)
            standing = replace(final.winner, label=winner.label, schedule=winner.schedule)
            final = replace(final, standings=(standing, *final.standings))
        simpler = simplify(session.task.pipeline, session.bench, winner.ready, over)
        if simpler is winner.ready:
            return final
        entering = [Contender(winner.label + SIMPLIFIED, simpler)]
        self._note(entering[0], final.winner.speedup.median)
        if winner.label != "default":
            entering.append(winner)
        again = self._play(entering)
        entered = {s.label for s in again.standings}
        # the machine may have another speed by now: what played before is told on the scale of the default's new time
        scale = again.default.seconds.median / final.default.seconds.median
        before = [replace(s, seconds=s.seconds.scaled(scale)) for s in final.standings if s.label not in entered]
        return replace(again, standings=(*again.standings, *before))

    def _note(self, contender: Contender, speedup: float) -> None:
        """Keep in the study the schedule that the winner was simplified to."""
        ready, study = contender.ready, self.session.study
        if study.known(ready.schedule) is None:
            outcome = Outcome("ok", 1 / speedup, source=ready.source, memory=ready.memory)
            study.add(contender.label, ready.schedule, outcome)

    def _play(self, contenders: list[Contender]) -> Final:
        session = self.session
        seconds = FINAL_SECONDS
        if session.budget.seconds is not None:
            share = session.method.effort.final * session.budget.seconds / 2
            # nor is the final longer than the search
            seconds = max(min(share, max(session.elapsed(), FINAL_SECONDS)), 1.0)
        default = Contender("default", self.default.ready)
        return play(
            session.bench, default, contenders, seconds=seconds, progress=lambda _: session.say("final", self.best)
        )
