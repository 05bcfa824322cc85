"""The tests of the protected API."""
