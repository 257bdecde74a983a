"""What every part of Passerelle shares: readings, quantities, settings, errors, clock, logs, metrics.

`core` imports nothing of ours; everything else may import it.
"""
