"""The wire formats that simulated devices speak: one module a payload convention."""
