"""`passerelle alerts`: rules checked, tried on history, and tuned."""
