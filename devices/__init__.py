"""What a device is and how it speaks: registry, profiles, payload formats."""
