"""Has each component here judged by its facts; tests/judged.py says how."""

from tests.judged import pytest_collect_file as pytest_collect_file
from tests.judged import pytest_configure as pytest_configure
from tests.judged import pytest_pyfunc_call as pytest_pyfunc_call
