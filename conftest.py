"""Loads kafkalab's plugin in a clone; where the package is installed, it is loaded already."""

pytest_plugins = ["kafkalab.plugin"]
