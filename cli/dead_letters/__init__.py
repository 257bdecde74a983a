"""`passerelle dead-letters`: what could not be stored, for who has to do something about it."""
