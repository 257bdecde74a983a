"""How fast it is, against what people use, printed as ratios (`docs/performance.md`)."""
