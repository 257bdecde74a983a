"""What every part shares: readings, quantities, settings, errors, clock, logs, metrics.

`core` imports nothing of ours; everything else may import it.
"""
