"""Rules as people write them: their form, YAML with exact error places, selectors, overrides."""
