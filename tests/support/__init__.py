"""Small parts that several tests need."""
