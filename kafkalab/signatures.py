"""Check whether a function takes the calls that a contract allows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from inspect import Parameter, Signature
from typing import Any

Function = Callable[..., Any]

POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def takes_all_calls(function: Function, contract: Function) -> bool:
    """Whether a callable takes every call that a contract allows.

    It may take more: further optional parameters, `*args` and `**kwargs`. A callable without a
    visible signature, such as a function written in C, passes without a check.

    Args:
        function: any callable; a method must be bound to its object.
        contract: a function of a Protocol, with `self`.
    """
    if inspect.ismethod(function) and not inspect.signature(function.__func__).parameters:
        return False
    signatures = _signatures_of(function)
    calls = list(_calls(contract))
    return not signatures or any(
        all(_binds(signature, *call) for call in calls) for signature in signatures
    )


def as_asked(contract: Function, *, of_a_class: bool) -> str:
    """The signature that a contract asks for, as the learner should write it, without types."""
    signature = inspect.signature(contract)
    return _shown(signature if of_a_class else _without_self(signature))


def as_written(function: Function) -> str:
    """The signature of a callable as it is written, without types."""
    if inspect.ismethod(function):
        return _shown(inspect.signature(function.__func__))
    return _shown(_signatures_of(function)[0])


def _signatures_of(function: Function) -> list[Signature]:
    """The signatures of a callable, if it has any.

    A decorated function has two: the decorator's and its own. Either may be the right one.
    """
    signatures = []
    for follow_wrapped in (True, False):
        try:
            signature = inspect.signature(function, follow_wrapped=follow_wrapped)
        except ValueError:
            continue
        signatures.append(signature)
    return signatures


def _calls(contract: Function) -> Iterator[tuple[list[str], dict[str, str]]]:
    """The calls that a contract allows: arguments by position and arguments by name.

    The value of each argument is its parameter's name. The calls give none of the optional
    arguments, each of them alone, or all.
    """
    parameters = _without_self(inspect.signature(contract)).parameters.values()
    optional = [each for each in parameters if each.default is not Parameter.empty]
    for given in ([], *([each] for each in optional), optional):
        taken = [each for each in parameters if each in given or each not in optional]
        positional = [each.name for each in taken if each.kind in POSITIONAL]
        least = sum(each.kind is Parameter.POSITIONAL_ONLY for each in taken)
        for count in range(least, len(positional) + 1):
            by_position = positional[:count]
            by_name = {each.name: each.name for each in taken if each.name not in by_position}
            yield by_position, by_name


def _binds(signature: Signature, by_position: list[str], by_name: dict[str, str]) -> bool:
    try:
        signature.bind(*by_position, **by_name)
    except TypeError:
        return False
    return True


def _without_self(signature: Signature) -> Signature:
    _, *parameters = signature.parameters.values()
    return signature.replace(parameters=parameters)


def _shown(signature: Signature) -> str:
    parameters = [
        each.replace(
            annotation=Parameter.empty,
            default=each.default if each.default is Parameter.empty else _Default(each.default),
        )
        for each in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters, return_annotation=Signature.empty))


class _Default:
    """A default value for display: a function by its name, anything else by its repr."""

    def __init__(self, value: object) -> None:
        self._text: str = getattr(value, "__name__", None) or repr(value)

    def __repr__(self) -> str:
        return self._text
