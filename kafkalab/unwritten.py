"""What is not written yet in a component: it is told by its name, not as an error of Python's."""

from __future__ import annotations

from types import CodeType

NOT_YET = "not written yet"
"""what a function says that a start of kafkalab's leaves open"""


def as_unwritten(error: NotImplementedError, code: CodeType) -> str:
    """What is not written yet, as in `publish() is not written yet`.

    Args:
        error: what was raised.
        code: the function that raised it.
    """
    name = code.co_qualname.rpartition("<locals>.")[2].removesuffix(".__init__")
    # A file may raise it on its own level.
    subject = "it" if name.startswith("<") else f"{name}()"
    said = " ".join(str(error).split())
    return f"{subject} is {NOT_YET}" + (f": {said}" if said not in ("", NOT_YET) else "")
