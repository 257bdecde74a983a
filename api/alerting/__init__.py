"""What the routes of alerts stand on: who may see which, what is shown of them, and why."""
