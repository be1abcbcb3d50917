"""loopdeck from outside: real processes in real repositories, the scripted agent as the only thing that is not what it seems."""
