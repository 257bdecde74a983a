"""The account recomputed from what is kept, each side told by itself: spool, registry, store."""
