"""One event of every kind, as small as it can be; for tests that walk all kinds."""

from loopdeck.core import agentevents as ae
from loopdeck.core import childevents as ce
from loopdeck.core import events as ev
from loopdeck.core.happening import CallAsked, Settings, Signal
from loopdeck.core.usage import Usage
from tests.core.make import verdict

SETTINGS = Settings(max_iterations=4, max_cost=10**12)

SAMPLES: dict[type, ev.Event] = {
    type(event): event
    for event in (
        ev.RunQueued("fix", "r1", SETTINGS, "sp", "ex", "ha"),
        ev.RunnerStarted(7, 2),
        ev.RunStarted(),
        ev.WorkspacePrepared("/w", "loop/fix/r1", "b" * 40),
        ev.RunEnded("done"),
        ev.IterationStarted(2, "s" * 64),
        ev.ModelCallReserved("m2", "maker", "m", 10, 5, 100),
        ev.ModelCallSettled("m1", Usage(1, 2), 3, stop="tools", asked=(CallAsked("t9", "bash"),)),
        ev.LimitReached("tokens", "maker", 12),
        ev.WaitStarted("overloaded", 0.5, "2026-11-21T07:15:00Z", 1),
        ev.WaitEnded(),
        ev.ToolCallGranted("t1", "bash"),
        ev.ToolCallRefused("t1", "bash", "bash(rm)", "no"),
        ev.ToolCallFinished("t1", "bash", 0.1, None, "sig"),
        ev.ToolCallLost("t1", "bash"),
        ae.AgentTurnStarted(1, "claude"),
        ae.AgentSessionNamed("s1"),
        ae.AgentTurnFinished("ended"),
        ae.ToolCallAsked("t8", "bash"),
        ae.TriageFinished("first this"),
        ce.ChildStarted("t1", "docs", "r9", 50, 0),
        ce.ChildEnded("r9", "done", Usage(3, 4), 7),
        ev.MakerFinished("ended"),
        ev.WorkCommitted("c" * 40, "d"),
        ev.CheckFinished(verdict("tests", "failed", "no")),
        ev.CheckSkipped("look", "waits for tests"),
        ev.IterationFinished(1, 0.5, False, "t" * 64, (Signal("plateau", 2, "nudge", "flat"),)),
        ev.ApprovalRequested("a1", "t1", "bash", "git push", "{}", "/w", "bash", "high", "d1"),
        ev.ApprovalDecided("a1", True, "anna"),
        ev.ApprovalLapsed("a1", "nobody answered"),
        ev.VerdictAsked("look"),
        ev.VerdictGiven("look", True, "anna"),
        ev.StateClashed("o" * 64, "t" * 64),
        ev.StateSettled("s" * 64, "anna"),
        ev.CommandTaken("c1", "pause"),
        ev.PauseAsked("anna"),
        ev.RunPaused("pause"),
        ev.RunResumed("anna"),
        ev.HoldSet("anna"),
        ev.Nudged("try the parser", "anna"),
        ev.SettingChanged("max_iterations", "4", "9", "anna", Settings(max_iterations=9)),
        ev.StopAsked("anna"),
        ev.NoticeRaised("the checkout is dirty"),
        ev.DoorChosen("bubblewrap", "listed", ("example.com",)),
    )
}
