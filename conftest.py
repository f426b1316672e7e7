"""Loads kafkalab's plugin in a clone that is not installed; else it is loaded already."""

from importlib.metadata import entry_points

# pytest allows the name in the root folder's conftest only, and the facts of an installed clone
# are run from other folders, too.
if not any(each.value == "kafkalab.plugin" for each in entry_points(group="pytest11")):
    pytest_plugins = ["kafkalab.plugin"]
