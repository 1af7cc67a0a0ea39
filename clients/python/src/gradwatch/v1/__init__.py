"""The messages of gradwatch.v1, made by scripts/generate-protos from Protos. Do not edit."""
