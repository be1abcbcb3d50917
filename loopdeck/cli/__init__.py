"""The verbs: everything the control room can do, for a shell.

Thin, and light to import: an answer to `loopdeck status` must not wait for a screen library, an SDK or an HTTP client. Each verb is a
function `run(options) -> exit code` in a module of its own, imported when it is called. Outside text goes through `cli.out` only.
"""
