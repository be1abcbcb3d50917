"""One process per run: `python -m loopdeck.runner RUN_DIR`.

It reads the inbox, asks `core.decide` what is next, does it, and writes down what happened; it is the only writer of the run's journal
and trace. Nothing here decides: a room of this package carries out the steps of one kind.
"""
