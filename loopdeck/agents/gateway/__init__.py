"""The metering gateway: a loopback proxy of one run, through which outside agents reach their providers.

Real keys stay in it, agents get a token. It reserves before it forwards, refuses past the budget, and holds requests while the run is
paused. What passes is not changed, but for what `fitted` names.
"""
