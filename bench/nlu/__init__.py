"""Understanding, measured beside its goals: `python -m bench.nlu`."""
