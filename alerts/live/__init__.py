"""Rules judged as values come: what feeds the evaluator, what it remembers, and who does it."""
