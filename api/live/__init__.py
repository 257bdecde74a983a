"""The live stream at `/v1/live`: values as they arrive, for any number of readers."""
