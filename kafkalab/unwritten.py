"""Name the function of a component that is not written yet, instead of a Python error."""

from __future__ import annotations

from types import CodeType

NOT_YET = "not written yet"
"""the text of the NotImplementedError in a function that kafkalab's template leaves open"""


def as_unwritten(error: NotImplementedError, code: CodeType) -> str:
    """A text that names what is not written yet, as in `publish() is not written yet`.

    Args:
        error: the error that was raised.
        code: the code of the function that raised it.
    """
    name = code.co_qualname.rpartition("<locals>.")[2].removesuffix(".__init__")
    # A file may raise it at its top level.
    subject = "it" if name.startswith("<") else f"{name}()"
    said = " ".join(str(error).split())
    return f"{subject} is {NOT_YET}" + (f": {said}" if said not in ("", NOT_YET) else "")
