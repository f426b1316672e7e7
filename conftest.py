"""Loads kafkalab's plugin in a clone that is not installed; an installed one loads it by itself."""

from importlib.metadata import entry_points

# pytest allows `pytest_plugins` only in the root folder's conftest, and the facts of an installed
# clone run from other folders, too: so it is set only if it is needed.
if not any(each.value == "kafkalab.plugin" for each in entry_points(group="pytest11")):
    pytest_plugins = ["kafkalab.plugin"]
