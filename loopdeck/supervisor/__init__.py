"""One per deck: sees to it that every run that should go on has a runner, and no run has two.

Observe, plan, act. Who may run a run is settled by leases alone, so this room can die at any moment, or never be there at all, and
nothing is lost. `spawn`, `births` and `start` are light and also used by the verbs; the others are for the supervisor's own processes.
"""
