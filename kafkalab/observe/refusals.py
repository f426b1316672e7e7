"""How calls are refused, as facts about components compare it."""

from __future__ import annotations

from collections.abc import Callable


def error_kind(call: Callable[[], object], *kinds: type[Exception]) -> str:
    """The kind of the error that a call raises; what it returned, if it raises none.

    Args:
        call: what is called.
        kinds: a subclass of one of these counts as it does.

    Raises:
        NotImplementedError: what is called is not written yet.
    """
    try:
        return repr(call())
    except NotImplementedError:
        raise
    except Exception as error:  # noqa: BLE001 - the evidence shows which it was
        return next((each for each in kinds if isinstance(error, each)), type(error)).__name__
