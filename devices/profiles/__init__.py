"""The profiles that come with Passerelle: one YAML file for each device family."""
