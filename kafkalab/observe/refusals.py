"""The kind of error by which a call is refused, for facts that compare it."""

from __future__ import annotations

from collections.abc import Callable


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
