"""docs/lab.http: each of its calls does what its title says, and none of the API is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
from group_site import site
from serving import TIMEOUT, served

from kafkalab.waiting import wait_until

FILE = Path(__file__).parent.parent / "docs" / "lab.http"


class Call(NamedTuple):
    """One call of the file."""

    title: str
    method: str
    url: str
    headers: dict[str, str]
    body: str

    @property
    def is_expected(self) -> range:
        """The statuses that it may have: those of success, if its title names no other."""
        named = re.search(r": (\d{3})\b", self.title)
        return range(int(named[1]), int(named[1]) + 1) if named else range(200, 300)


def calls_of(text: str, **variables: str) -> Iterator[Call]:
    """The calls of a file, as editors read it: `###` begins each, and @ a variable."""
    for name, value in re.findall(r"^@(\w+) = (.+)$", text, re.MULTILINE):
        text = text.replace(f"{{{{{name}}}}}", variables.get(name, value))
    for part in re.split(r"^###", text, flags=re.MULTILINE)[1:]:
        title, _, rest = part.partition("\n")
        head, _, body = rest.partition("\n\n")
        line, *headers = head.split("\n")
        method, url = line.split(" ", 1)
        named = dict(each.split(": ", 1) for each in headers if each)
        yield Call(title.strip(), method, url, named, body.strip())


def test_each_call_of_the_file_does_what_its_title_says(tmp_path: Path) -> None:
    """In its order, on a server that has nothing yet."""
    with site(tmp_path) as here, served(here, "--allow-foreign") as api:
        calls = list(calls_of(FILE.read_text("utf-8"), server=api.url))
        operations = api.ask("GET", "/openapi.json")["paths"]
        with httpx.Client(timeout=TIMEOUT) as client:
            for call in calls:
                with client.stream(
                    call.method, call.url, headers=call.headers, content=call.body
                ) as answer:
                    if answer.headers.get("content-type", "").startswith("text/event-stream"):
                        assert next(answer.iter_lines()) == "event: hello", call.title
                    else:
                        answer.read()
                assert answer.status_code in call.is_expected, f"{call.title}: {answer.text}"
                if call.url.endswith("/members"):
                    group = call.url.removesuffix("/members")
                    wait_until(
                        lambda group=group: client.get(group).status_code == 200,
                        limit=30,
                        what="the group, which its member joins in the background",
                    )

    paths = [call.url.removeprefix(api.url).partition("?")[0] for call in calls]
    left_out = [
        f"{method.upper()} {template}"
        for template, each in operations.items()
        for method in each
        if not any(
            call.method == method.upper() and re.fullmatch(_pattern(template), path)
            for call, path in zip(calls, paths, strict=True)
        )
    ]
    assert len(calls) > 20, "it was read"
    assert not left_out, "the file has a call for each operation of the document"


def _pattern(template: str) -> str:
    return re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
