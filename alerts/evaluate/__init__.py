"""The evaluator: values in the order of arrival come in, verdicts in device time come out."""
