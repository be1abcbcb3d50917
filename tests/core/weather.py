"""How a simulated world is: the chances of everything that can go one way or the other."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Weather:
    """Chances in 0..1, each time it matters; `greed` is how often a server charges the whole bound."""

    tools: float = 0.5
    malformed: float = 0.05
    failure: float = 0.1
    fatal: float = 0.0
    refusal: float = 0.02
    ask: float = 0.2
    deny: float = 0.1
    passes: float = 0.4
    broken: float = 0.05
    novelty: float = 0.3
    change: float = 0.7
    cycles: float = 0.6
    clash: float = 0.05
    crash: float = 0.01
    commands: float = 0.02
    kills: float = 0.05
    greed: float = 0.5


CALM = Weather(malformed=0, failure=0, refusal=0, ask=0, deny=0, broken=0, clash=0, crash=0, commands=0)
STORMY = Weather(crash=0.08, commands=0.1, kills=0.02)
WEATHERS = (
    CALM,
    Weather(),
    Weather(tools=0.9, ask=0.05, deny=0.02, malformed=0.01, passes=0.2),
    Weather(failure=0.5, fatal=0.05),
    Weather(crash=0.1, commands=0.15, kills=0.02),
    Weather(passes=0.9, novelty=0.0),
    Weather(passes=0.05, novelty=0.0, tools=0.2, cycles=0.0, change=1.0),
)
