"""Alerts: rules over measured values, in event time.

`rules` reads what people write; `conditions` says when something holds; `evaluate` turns values
into verdicts; `backtest` tries a rule on history. `model` holds what they share.
"""
