"""Mistakes made in working code: where each is made, what it looks like, and what catches it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import kafkalab.tasks
from kafkalab.cli.mutants import shown_change
from kafkalab.judging import Judgement
from kafkalab.learning_log.record import FactRecord
from kafkalab.learning_log.verdicts import TOO_LATE, Verdict
from kafkalab.mutant_judge import Component, Copy, Fate, Unreadable, fate_of
from kafkalab.mutants import OPERATORS, Mutant, mutants_of, reaching

# Operator, code, and the line with its mistake; "-" where nothing is left of it.
MADE = [
    ("drop-flush", "producer.flush()", "pass"),
    ("drop-flush", "await producer.flush(5)", "pass"),
    ("drop-flush", "left = self.producer.flush(5)", "left = 0"),
    ("drop-poll", "producer.poll(0)", "pass"),
    ("drop-close", "consumer.close()", "pass"),
    (
        "drop-close",
        "with closing(consumer): work()",
        'with __import__("contextlib").nullcontext(consumer): work()',
    ),
    ("drop-commit", "consumer.commit(asynchronous=False)", "pass"),
    ("drop-commit", "if done: consumer.store_offsets(offsets=done)", "if done: pass"),
    ("drop-transaction", "producer.begin_transaction()", "pass"),
    ("drop-seek", "self.consumer.seek(place)", "pass"),
    ("drop-assignment", "consumer.assign(places)", "pass"),
    ("drop-assignment", "consumer.pause([place])", "pass"),
    ("drop-purge", "producer.purge()", "pass"),
    ("drop-wait", "wait_until(look, limit=3)", "pass"),
    ("unread-future", "future.result()", "pass"),
    ("unread-future", "for f in futures.values(): f.result()", "for f in futures.values(): pass"),
    (
        "asynchronous",
        "c.commit(message=m, asynchronous=False)",
        "c.commit(message=m, asynchronous=True)",
    ),
    (
        "own-offset",
        "place = TopicPartition(t, p, m.offset() + 1)",
        "place = TopicPartition(t, p, m.offset())",
    ),
    ("own-offset", "next = 1 + offset", "next = offset"),
    ("own-offset", "at = m.offset(); at += 1", "at = m.offset(); at += 0"),
    (
        "own-offset",
        "from confluent_kafka import TopicPartition as TP; c.commit(message=m)",
        "from confluent_kafka import TopicPartition as TP; "
        "c.commit(offsets=[TP(m.topic(), m.partition(), m.offset())])",
    ),
    (
        "own-offset",
        "import confluent_kafka as ck; c.commit(m)",
        "import confluent_kafka as ck; "
        "c.commit(offsets=[ck.TopicPartition(m.topic(), m.partition(), m.offset())])",
    ),
    ("end-is-one-off", "while m.offset() < end: read()", "while m.offset() <= end: read()"),
    ("end-is-one-off", "if position >= ends[p]: stop()", "if position > ends[p]: stop()"),
    ("ignore-rebalance", "def on_lost(self, c, p): self.clear()", "def on_lost(self, c, p): pass"),
    ("ignore-rebalance", "def _revoked(c, p): tell(p)", "def _revoked(c, p): pass"),
    ("ignore-rebalance", "c.subscribe(t, on_lost=lost)", "c.subscribe(t)"),
    (
        "ignore-rebalance",
        "c.subscribe(t, on_lost=lost, on_revoke=r)",
        "c.subscribe(t, on_revoke=r)",
    ),
    (
        "swallow-error",
        "try: f()\nexcept KafkaException as e: log(e)",
        "except KafkaException as e: pass",
    ),
    ("drop-raise", "if bad: raise KafkaException(it)", "if bad: pass"),
    ("ignore-error", "if error is not None: tell(it)", "if False: tell(it)"),
    ("ignore-error", "if m.error(): tell(it)", "if False: tell(it)"),
    ("ignore-error", "if not err: count(it)", "if not False: count(it)"),
    (
        "ignore-error",
        "good = [r for r in reports if r.error is None]",
        "good = [r for r in reports if True]",
    ),
    ("any-error", "if e.code() == KafkaError._PARTITION_EOF: go()", "if True: go()"),
    ("any-error", "if e.code() not in ENDS: go()", "if False: go()"),
    ("any-error", "if e.args[0].retriable(): go()", "if True: go()"),
    ("no-such-error", "if code == KafkaError._PARTITION_EOF: go()", "if False: go()"),
    ("no-such-error", "if e.txn_requires_abort(): go()", "if False: go()"),
    ("drop-callback", "p.produce(t, v, on_delivery=cb)", "p.produce(t, v)"),
    ("drop-callback", "p.produce(t, callback=cb, value=v)", "p.produce(t, value=v)"),
    ("forget-headers", "p.produce(t, v, headers=h)", "p.produce(t, v)"),
    ("forget-headers", "h = m.headers()", "h = None"),
    ("forget-key", "p.produce(t, v, k)", "p.produce(t, v, None)"),
    ("forget-key", "p.produce(t, key=k, value=v)", "p.produce(t, value=v)"),
    ("forget-key", "k = m.key()", "k = None"),
    ("null-as-empty", "if key is None: go()", "if not key: go()"),
    ("null-as-empty", "if (v := m.value()) is not None: go()", "if (v := m.value()): go()"),
    ("other-setting", '{"acks": "all"}', '{"acks": 1}'),
    ("other-setting", '{"enable.idempotence": True}', '{"enable.idempotence": False}'),
    (
        "other-setting",
        'config["enable.auto.commit"] = "false"',
        'config["enable.auto.commit"] = "true"',
    ),
    (
        "other-setting",
        "dict(base, auto_offset_reset='earliest')",
        'dict(base, auto_offset_reset="latest")',
    ),
    ("other-setting", "ask(OffsetSpec.latest())", "ask(OffsetSpec.earliest())"),
    ("other-setting", "ask(IsolationLevel.READ_COMMITTED)", "ask(IsolationLevel.READ_UNCOMMITTED)"),
    ("drop-setting", 'c = {"group.id": group, "client.id": me}', 'c = {"client.id": me}'),
    ("drop-setting", 'c = {**base, "group.id": group}', "c = {**base}"),
    ("drop-limit", "m = consumer.poll(1.0)", "m = consumer.poll()"),
    ("drop-limit", "c.committed(places, timeout=3)", "c.committed(places)"),
    ("one-partition", "at = (m.topic(), m.partition())", "at = (m.topic(), 0)"),
    ("no-bound", "left = max(0, end - at)", "left = end - at"),
    ("unsorted", "for p in sorted(places, key=by): go(p)", "for p in list(places): go(p)"),
    ("unsorted", "x = sorted(p for p in places)", "x = list(p for p in places)"),
    ("any-for-all", "ok = all(p.leader for p in ps)", "ok = any(p.leader for p in ps)"),
    ("sign-bit", "p = (hash_of(k) & 0x7FFFFFFF) % n", "p = (hash_of(k)) % n"),
    ("other-encoding", "b = key.encode()", 'b = key.encode("latin-1")'),
    ("other-encoding", 'v = m.value().decode("utf-8")', 'v = m.value().decode("utf-8", "replace")'),
    ("drop-condition", "if grow and fewer: go()", "if fewer: go()"),
]


def by(operator: str, text: str) -> list[Mutant]:
    """What an operator makes of a text."""
    return [each for each in mutants_of(text) if each.operator == operator]


@pytest.mark.parametrize(("operator", "code", "made"), MADE)
def test_a_mistake_is_made_at_its_place(operator: str, code: str, made: str) -> None:
    """In one line, in the style that the line has; all others stay as they are."""
    head, tail = "# ü: a letter of two bytes\nü = 1; ", "\nafter = 1\n"
    text = f"{head}\n{code}{tail}"

    found = by(operator, text)

    assert made in [each.after for each in found]
    for each in found:
        assert each.text.endswith(tail)
        assert each.text.startswith(head)
        assert each.before == text.splitlines()[each.line - 1]
        ast.parse(each.text)


def test_each_operator_is_tried() -> None:
    """Here, or where the order of lines matters, below."""
    moved = {"commit-too-early", "commit-too-late"}

    assert {operator for operator, _, _ in MADE} | moved == set(OPERATORS)


@pytest.mark.parametrize(
    "code",
    [
        "flush = 1\nclose(flush)",
        "print(', '.join(names))",
        "total += 1\nnumber = count + 1",
        "def _lost_a_race(result): return result.error",
        "for x in y:\n    try: f()\n    except KafkaException: continue",
        'd = {"name": "a.b", "topic": 1}',
        "x = text.encode('ascii')\ny = data.decode('utf-8', 'replace')",
        "if terror: go()\nif count < 3: go()",
        "producer.produce(topic, value)",
        "def f(m): text = str(m.offset())\ndef g(text): return len(text) > 3",
        "import flush\n'''producer.flush()'''",
        "consumer.commit(asynchronous=True) if late else None",
    ],
)
def test_other_code_is_left_alone(code: str) -> None:
    """Words alone make no mistake possible: what is called, compared or counted does."""
    assert [(each.operator, each.after) for each in mutants_of(code)] == []


def test_a_commit_is_moved_before_and_behind_the_work() -> None:
    """Beside the work, also where a condition stands around it, and out of a loop's way."""
    text = (
        "for m in batch:\n    work(m)\nif done:\n"
        "    consumer.commit(offsets=[\n        place])  # now\ntell(done)\n"
    )

    (early,), (late,) = by("commit-too-early", text), by("commit-too-late", text)

    commit = "if done:\n    consumer.commit(offsets=[\n        place])"
    assert early.text == f"{commit}\nfor m in batch:\n    work(m)  # now\ntell(done)\n"
    assert late.text == f"for m in batch:\n    work(m)\ntell(done)  # now\n{commit}\n"


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    place = place_of(m)\n    c.commit(offsets=[place])\n    return 1",
        "c.commit(message=m)\ncount += 1",
        "if done:\n    c.commit()\nelse:\n    go()",
    ],
    ids=["what it needs comes before", "counting is no work", "another branch"],
)
def test_a_commit_is_not_moved_where_that_means_nothing(text: str) -> None:
    """Where it would not run, or where nothing would be another."""
    assert by("commit-too-early", text) + by("commit-too-late", text) == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_keep_their_numbers(end: str) -> None:
    """What stood in several lines leaves empty ones, so that a reason names the learner's line."""
    text = (
        "p.produce(\n    t,\n    v,\n    headers=[\n        h,\n    ],\n)\nc.commit(\n    m,\n)\n"
    )
    text = f"{text}x = 1\n".replace("\n", end)

    for each in [*by("forget-headers", text), *by("drop-commit", text)]:
        assert len(each.text.splitlines()) == len(text.splitlines()), each.after
        assert each.text.splitlines()[-1] == "x = 1"


def test_a_mistake_in_several_lines_needs_no_room_for_empty_ones() -> None:
    """Where an empty line would end a statement too early, there is none."""
    text = (
        "left = producer.flush(\n    5\n) + more\nend = max(\n    0,\n    last_of(\n        at))\n"
    )

    (flushed,), (unbound,) = by("drop-flush", text), by("no-bound", text)

    assert flushed.text.startswith("left = 0 + more\nend")
    assert unbound.text == (
        "left = producer.flush(\n    5\n) + more\nend = last_of(\n        at)\n\n\n"
    )


FILES = [
    *sorted(Path(kafkalab.tasks.__file__).parent.glob("[a-z]*.py")),
    *sorted((Path(__file__).parent / "wrong").glob("*/*.py")),
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_mutants_of_whole_files(file: Path) -> None:
    """Each parses, no two are the same, none is the file; always in the same order, by line."""
    text = file.read_text("utf-8")

    found = mutants_of(text)

    assert found == mutants_of(text)
    assert len({each.text for each in found} | {text}) == len(found) + 1
    assert [each.line for each in found] == sorted(each.line for each in found)
    for each in found:
        ast.parse(each.text)
        assert each.before != each.after
        assert each.operator in OPERATORS
        assert "{" not in each.mistake
        assert len(each.text.splitlines()) == len(text.splitlines())


def test_a_definition_is_reached_through_those_that_use_it() -> None:
    """Over several steps and files, and through a class; by name alone."""
    one = "def provision(): _create()\ndef describe(): pass\nclass Sink:\n    def f(self): shared()"
    two = "def shared(): pass\ndef _create(): return LIMIT\nLIMIT = 3"

    assert reaching([one, two], "LIMIT") == {"LIMIT", "_create", "provision"}
    assert reaching([one, two], "shared") == {"shared", "Sink"}


# The component, and its copies


def test_a_component_is_its_own_files_and_what_it_imports(tmp_path: Path) -> None:
    """A package, and helpers beside it; what is broken is told with its place."""
    (tmp_path / "routing").mkdir()
    (tmp_path / "routing" / "__init__.py").write_text("from . import parts\nimport common\n")
    (tmp_path / "routing" / "parts.py").write_text("producer.flush()\n")
    (tmp_path / "common.py").write_bytes(
        "# coding: latin-1\nü = '\\d'\nc.close()\n".encode("latin-1")
    )
    (tmp_path / "other.py").write_text("broken(")

    component = Component.read(tmp_path, "routing")
    found = [
        (str(each.file), each.mutant.line, each.mutant.operator) for each in component.mutants()
    ]

    assert found == [("routing/parts.py", 1, "drop-flush"), ("common.py", 3, "drop-close")]
    (tmp_path / "routing" / "parts.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(Unreadable, match=r"^routing/parts\.py:2: SyntaxError: "):
        Component.read(tmp_path, "routing")


def test_code_that_is_nested_too_deeply_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, and no traceback, wherever Python gives up: it reads deeper than it changes."""

    def give_up(text: str) -> list[Mutant]:
        raise RecursionError(len(text))

    (tmp_path / "routing.py").write_text(f"x = {' + '.join('1' * 9000)}\n")
    with pytest.raises(Unreadable, match=r"^routing\.py: RecursionError: "):
        Component.read(tmp_path, "routing")

    (tmp_path / "routing.py").write_text("x = 1 + 1\n")
    monkeypatch.setattr("kafkalab.mutant_judge.mutants_of", give_up)
    with pytest.raises(Unreadable, match=r"^routing\.py: its code is nested too deeply"):
        Component.read(tmp_path, "routing").mutants()


def test_a_copy_has_all_and_leaves_the_learners_files_alone(tmp_path: Path) -> None:
    """Code is copied, what lies beside it is linked to; after a mistake it is as it was."""
    own = tmp_path / "my_lab"
    (own / "routing").mkdir(parents=True)
    (own / "data").mkdir()
    (own / "data" / "keys.txt").write_text("a")
    (own / "routing" / "__init__.py").write_bytes(
        "# coding: latin-1\r\nü.flush()\r\n".encode("latin-1")
    )
    before = {file: file.read_bytes() for file in own.rglob("*") if file.is_file()}
    component = Component.read(own, "routing")
    copy = Copy(component, tmp_path / "copy")
    (place,) = component.mutants()

    with copy.mutated(place):
        mutated = (copy.folder / "routing" / "__init__.py").read_bytes()
        copy.reports.mkdir()

    assert mutated == b"# coding: latin-1\r\npass\r\n"
    assert (copy.folder / "data" / "keys.txt").read_text() == "a"
    assert not (copy.folder / "routing" / "__init__.py").is_symlink()
    assert not copy.reports.exists()
    assert {file: file.read_bytes() for file in own.rglob("*") if file.is_file()} == before
    assert Component.read(copy.folder, "routing").files == component.files


# The fate


def said(verdict: Verdict, reason: str = "") -> Judgement:
    """A run in which one fact held, and another said this."""
    made = {"sentence": "It is.", "scope": "", "task": "9.1", "seconds": 0.1, "controls": ()}
    made["no_control"] = ""
    facts = [("holds", Verdict.DEMONSTRATED, ""), ("fact", verdict, reason)]
    return Judgement(
        tuple(
            FactRecord(**{**made, "slug": slug, "verdict": of, "reason": why})
            for slug, of, why in facts
        ),
        (),
        {},
    )


@pytest.mark.parametrize(
    ("verdict", "reason", "fate"),
    [
        (Verdict.REFUTED, "none is lost\nassert 1 == 2", Fate.CAUGHT),
        (Verdict.REFUTED, "topics.py:3: KeyError: 'a'", Fate.CAUGHT),
        (Verdict.REFUTED, f"my/topics.py:3: {TOO_LATE}Timeout (>20.0s)", Fate.CAUGHT_BY_A_LIMIT),
        (Verdict.INVALID, "Timeout (>20.0s) from pytest-timeout.", Fate.CAUGHT_BY_A_LIMIT),
        (Verdict.INVALID, "The broker died.", Fate.NOT_TOLD),
        (Verdict.NOT_RUN, "", Fate.NOT_CAUGHT),
        (Verdict.DEMONSTRATED, "", Fate.NOT_CAUGHT),
    ],
)
def test_what_a_run_says_of_a_mutant(verdict: Verdict, reason: str, fate: Fate) -> None:
    """What caught it is told from a limit that ended it, and from trouble that is not its."""
    told = fate_of(said(verdict, reason))

    assert told.fate is fate
    assert told.slug == ("" if fate is Fate.NOT_CAUGHT else "fact")


def test_a_long_line_is_cut_where_it_differs() -> None:
    """What differs is to be seen; a short line is shown whole."""
    long = f"f({'a' * 90}, TopicPartition(t, p, m.offset() + 1), {'b' * 90})"

    before, after = shown_change(long, long.replace(" + 1", ""))

    assert before.startswith("...aa")
    assert "TopicPartition(t, p, m.offset() + 1)" in before
    assert "TopicPartition(t, p, m.offset())" in after
    assert before.endswith("bb...")
    assert shown_change("flush()", "pass") == ("flush()", "pass")
