"""The errors by which calls are refused, for facts that ask for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def error_kind(call: Callable[[], object], *kinds: type[Exception]) -> str:
    """The kind of the error that a call raises; what it returned, if it raises none.

    Args:
        call: what is called.
        kinds: an error of a subclass of one of these counts as that one.

    Raises:
        NotImplementedError: what is called is not written yet.
    """
    try:
        return repr(call())
    except NotImplementedError:
        raise
    except Exception as error:  # noqa: BLE001 - the evidence shows which it was
        return next((each for each in kinds if isinstance(error, each)), type(error)).__name__


class Raised:
    """The error of a block, when the block has ended."""

    value: Any = None


@contextmanager
def must_raise(*kinds: type[BaseException], sentence: str) -> Iterator[Raised]:
    """Require that the block raises one of these errors; any other one comes out.

    Args:
        kinds: the errors.
        sentence: what the reader of a refutation has to know: who raises what, and when.

    Raises:
        AssertionError: the block raised nothing; the text has the sentence.
    """
    # pytest shows the block, and not this function.
    __tracebackhide__ = True
    raised = Raised()
    try:
        yield raised
    except kinds as error:
        raised.value = error
        return
    raise AssertionError(f"expected: {sentence}\nseen:     no error")
