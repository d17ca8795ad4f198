"""What Horae claims, re-runnable: `python -m benchmarks list`, then `python -m benchmarks NAME`.

Each claim is one file with a `measure(data)` function that returns figures; `record` adds the commit, the machine and
the command, and writes `benchmarks/results/NAME.json`. A dirty tree is refused, so a number always has its code.
"""
