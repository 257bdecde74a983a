"""Reads that compute: several aggregates, groups of devices, fills, plots, quality, joins.

Functions of data stand apart from what reads the store: `merging`, `filling`, `lttb`, `m4` and
`nearest` know nothing of either HTTP or stores, and are tested against naive references.
"""
