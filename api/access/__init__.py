"""Who may do what: declared by each route, decided before it runs, and enforced in its data."""
