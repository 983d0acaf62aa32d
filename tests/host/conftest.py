"""The machines that the tests run on, and what they were run for."""
