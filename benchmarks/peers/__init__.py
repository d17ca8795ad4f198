"""The peers: each in its own pinned environment, asked for the same work on the same log.

`requirements/` pins them; `environments` makes and runs them (`python -m benchmarks peers-setup NAME`); `handed` writes
our split as arrays; the `run_*` scripts run in the peers' environments and share `told`; `run_horae` is our side, in a
fresh process of its own; `contest` runs the sides in turn and compares.
"""
