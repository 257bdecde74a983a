"""Stored values as files of any size: streamed, made by jobs, or frozen as snapshots.

`query` says what is asked, `rows` reads it from the store bit by bit, `formats` writes it,
`canonical` hashes it independently of any format, `stream` puts these together.
"""
