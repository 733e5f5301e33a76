"""Durable execution: jobs in lanes, steps, signals, timers, leases with fencing. Knows nothing of turns."""
