"""The sample API."""
