"""`kafkalab serve` as a process: how it begins, whom it lets in, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from group_site import LIMIT, Site, site
from serving import Served, served
from test_live import Place

from kafkalab.brokers.processes import brokers_of
from kafkalab.observe.groups import describe_group
from kafkalab.waiting import wait_until

TOPICS = "/api/kafka/topics"
TOKEN = "a-token-of-these-tests"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("serve")) as made:
        yield made


@pytest.fixture(scope="module")
def api(here: Site) -> Iterator[Served]:
    """A server on a cluster that is not the lab's own, as it is by default."""
    with served(here) as server:
        yield server


@pytest.fixture(scope="module")
def token_file(here: Site) -> str:
    file = here.folder / "token"
    file.write_text(f"{TOKEN}\n", "utf-8")
    return str(file)


@pytest.fixture(scope="module")
def locked(here: Site, token_file: str) -> Iterator[Served]:
    """A server that others can reach, and that wants its token."""
    with served(here, "--host", "0.0.0.0", "--token-file", token_file) as server:  # noqa: S104
        yield server


# Whom it lets in


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "192.0.2.1",
        "",
        "[::",
        "x@localhost",
    ],
)
def test_a_host_of_elsewhere_is_refused(api: Served, host: str) -> None:
    """A name of elsewhere that leads here (DNS rebinding) opens nothing, on any path."""
    for path in ("/", "/docs", TOPICS, "/api/kafka/events"):
        api.problem("GET", path, 421, headers={"Host": host})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_the_names_of_the_loopback_are_known(api: Served, host: str) -> None:
    """With whatever port: it may be forwarded."""
    for port in ("", ":8765"):
        assert api.client.get(TOPICS, headers={"Host": f"{host}{port}"}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "file://", "", "http://[::"]
)
def test_a_page_of_elsewhere_may_ask_for_nothing(api: Served, origin: str) -> None:
    """Neither may it change something, nor look, nor listen."""
    headers = {"Origin": origin}

    api.problem("POST", TOPICS, 403, json={"name": "kafkalab-x"}, headers=headers)
    api.problem("GET", TOPICS, 403, headers=headers)
    api.problem("GET", "/api/kafka/events", 403, headers=headers)
    api.problem("OPTIONS", TOPICS, 403, headers=headers)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_page_of_elsewhere_embeds_is_refused(api: Served, site: str) -> None:
    """An image or a form of another page sends no Origin with GET; a link may open the page."""
    embedded = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
    link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}

    api.problem("GET", TOPICS, 403, headers=embedded)
    api.problem("GET", TOPICS, 403, headers=link)
    assert api.client.get("/docs", headers=link).status_code == 200


def test_a_page_of_its_own_may_ask(api: Served) -> None:
    """Its Origin is the address that it was opened by."""
    headers = {"Origin": api.url, "Sec-Fetch-Site": "same-origin"}

    assert api.client.get(TOPICS, headers=headers).status_code == 200
    assert "access-control-allow-origin" not in api.client.get(TOPICS, headers=headers).headers


def test_each_answer_forbids_what_a_page_does_not_need(api: Served) -> None:
    """Scripts and styles of elsewhere or in the page, frames, and telling where one came from."""
    for path, status in (("/docs", 200), (TOPICS, 200), ("/nothing", 404)):
        answer = api.client.get(path)
        assert answer.status_code == status, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert "unsafe" not in policy, path
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["referrer-policy"] == "no-referrer", path
    assert api.client.get("/", headers={"Host": "x"}).headers["referrer-policy"] == "no-referrer"


def test_the_page_of_the_api_needs_no_network(api: Served) -> None:
    """All that it loads is this server's, and it has no script or style in itself."""
    page = api.client.get("/docs").text

    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(loaded) == 4
    assert all(each.startswith("/") for each in loaded), loaded
    for each in loaded:
        if each != "/favicon.ico":
            assert api.client.get(each).status_code == 200, each
    assert not re.search(r"<style|<script>|style=| on\w+=", page)


def test_the_page_of_the_api_works_in_a_browser(api: Served, browser: Any) -> None:
    """Each operation is there, one is tried out, and the browser complains about nothing."""
    said: list[str] = []
    asked_for: list[str] = []
    tab = browser.new_page()
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked_for.append(request.url))

    tab.goto(f"{api.url}/docs")
    operation = tab.locator("#operations-cluster-show_cluster")
    operation.get_by_role("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    operation.locator(".live-responses-table").get_by_text('"is_lab"').wait_for()
    operations = tab.locator(".opblock").count()
    tab.close()

    paths = api.ask("GET", "/openapi.json")["paths"]
    assert operations == sum(map(len, paths.values()))
    assert said == []
    assert [each for each in asked_for if not each.startswith((api.url, "data:"))] == []
    assert api.client.get("/favicon.ico").headers["content-type"] == "image/svg+xml"


# What may be changed


def test_on_a_cluster_of_others_only_prefixed_names_are_changed(api: Served, here: Site) -> None:
    """Looking is free; to create, grow, delete, publish or join is not."""
    theirs, ours = here.topic(), here.name("kafkalab-own")
    here.write(theirs, [b"theirs"])
    member = {"topics": [theirs], "protocol": "cooperative"}

    cluster = api.ask("GET", "/api/kafka/cluster")
    refused = [
        api.problem("POST", TOPICS, 403, json={"name": "other"}),
        api.problem("POST", f"{TOPICS}/provision", 403, json={}),
        api.problem("DELETE", f"{TOPICS}/{theirs}", 403),
        api.problem("PATCH", f"{TOPICS}/{theirs}/partitions", 403, json={"count": 5}),
        api.problem("POST", f"{TOPICS}/{theirs}/records", 403, json={"records": [{}]}),
        api.problem("POST", "/api/kafka/groups/theirs/members", 403, json=member),
    ]
    api.ask("POST", TOPICS, status=201, json={"name": ours})
    api.ask("POST", f"{TOPICS}/{ours}/records", json={"records": [{}]})
    api.ask("DELETE", f"{TOPICS}/{ours}", status=204)
    seen = api.ask("GET", f"{TOPICS}/{theirs}/records")["records"]

    assert cluster["may_change"] == "kafkalab-"
    assert all("kafkalab-" in each["detail"] for each in refused)
    assert "--allow-foreign" in refused[0]["detail"]
    assert [each["value"] for each in seen] == [{"text": "theirs"}], "nothing of it has changed"
    assert {each["name"]: each["may_change"] for each in api.ask("GET", TOPICS)}[theirs] is False


def test_no_secret_of_a_properties_file_is_told(here: Site) -> None:
    """Neither in an answer, nor by an error, nor on the server's own output."""
    secret = "hunter2-secret"
    file = here.folder / "client.properties"
    file.write_text(
        f"bootstrap.servers={here.broker.bootstrap}\n"
        f"sasl.jaas.config=x.PlainLoginModule required username='u' password='{secret}';\n"
        "security.protocol=PLAINTEXT\n",
        "utf-8",
    )
    with served(here, "--config", str(file)) as api:
        told = [
            api.client.get(path).text
            for path in ("/api/kafka/cluster", TOPICS, "/openapi.json", f"{TOPICS}/nothing")
        ]
        stream = api.events()
        told.append(str(stream.seen))
        _, errors = api.end()
        assert api.process.stdout is not None

    assert secret not in "".join(told) + errors
    assert told[0].startswith("{"), "it was asked"


def test_an_empty_prefix_is_no_way_around(here: Site) -> None:
    """Who means that all may be changed says so."""
    assert "--allow-foreign" in here.refused("serve", "--port", "0", "--prefix", "", code=2)


def test_another_prefix_may_be_named(here: Site) -> None:
    """Then that of the runs is refused."""
    with served(here, "--prefix", "mine.") as api:
        api.problem("POST", TOPICS, 403, json={"name": "kafkalab-x"})
        api.ask("POST", TOPICS, status=201, json={"name": here.name("mine.x")})


# The token


def test_others_than_this_machine_need_a_token(here: Site) -> None:
    """Without one it does not begin."""
    for host in ("0.0.0.0", "::"):  # noqa: S104
        line = here.refused("serve", "--port", "0", "--host", host, code=2)
        assert "--token-file" in line
        assert "KAFKALAB_TOKEN" in line


def test_a_token_that_is_short_or_not_there_is_told(here: Site) -> None:
    """In one line, without the token."""
    file = here.folder / "short"
    file.write_text("short-one", "utf-8")

    short = here.refused("serve", "--port", "0", "--token-file", str(file), code=2)
    missing = here.refused("serve", "--port", "0", "--token-file", str(file) + "x", code=2)

    file.write_text("with blanks in it, and ü", "utf-8")
    strange = here.refused("serve", "--port", "0", "--token-file", str(file), code=2)

    assert "no header carries it" in strange
    assert "with blanks" not in strange
    assert "9 characters" in short
    assert "short-one" not in short
    assert "No such file" in missing


def test_the_token_opens_and_nothing_else_does(locked: Served) -> None:
    """As a header, or as the cookie that it was changed for; never in the address."""
    url = locked.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    with httpx.Client(base_url=url, timeout=LIMIT) as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            answer = client.get(TOPICS, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert client.get(TOPICS, params={"token": TOKEN}).status_code == 401
        assert client.get("/api/kafka/events").status_code == 401
        assert client.get("/openapi.json").status_code == 401
        cookie = {"Cookie": "kafkalab-session=x"}
        assert client.get(TOPICS, headers=cookie).status_code == 401
        bearer = client.get(TOPICS, headers={"Authorization": f"Bearer {TOKEN}"})
        wrong = client.post("/api/session", json={"token": "wrong"})
        opened = client.post("/api/session", json={"token": TOKEN})
        by_cookie = client.get(TOPICS)
        elsewhere = client.get(TOPICS, headers={"Host": "evil.example"})
        by_address = client.get(TOPICS, headers={"Host": "192.0.2.1:8765"})
        document = client.get("/openapi.json").json()

    given = opened.headers["set-cookie"]
    assert bearer.status_code == 200
    assert wrong.status_code == 401
    assert opened.status_code == 204
    assert "HttpOnly" in given
    assert "SameSite=strict" in given
    assert TOKEN not in given
    assert by_cookie.status_code == 200
    assert elsewhere.status_code == 421, "a name of elsewhere is refused with the token, too"
    assert by_address.status_code == 200, "others reach it by an address that it does not know of"
    assert document["security"] == [{"token": []}]


def test_the_token_may_stand_in_the_environment(here: Site) -> None:
    """And is demanded then, on the loopback as well; it is never printed."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "kafkalab", "serve", "--port", "0"],
        env={**here.environment, "KAFKALAB_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"},
        cwd=here.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith("Ctrl-C"):
            break
    url = re.findall(r"http://\S+?(?=/)/?", printed)[0]
    address = re.search(r"(http://[\d.:]+)/", printed)
    assert address is not None, url
    refused = httpx.get(f"{address[1]}{TOPICS}?token={TOKEN}", timeout=LIMIT)
    process.terminate()
    rest, errors = process.communicate(timeout=LIMIT)

    assert refused.status_code == 401
    assert TOKEN not in printed + rest + errors
    assert "asks for the token" in printed


# How it begins


def test_a_port_that_is_taken_is_told(here: Site) -> None:
    """In one line, with what to do."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        line = here.refused("serve", "--port", port, code=2)

    assert f"127.0.0.1:{port}" in line
    assert "name another" in line


def test_a_host_that_is_none_of_this_machine_is_told(here: Site, token_file: str) -> None:
    """A name that nobody has, and an address of another machine."""
    for host in ("no.such.host.invalid", "192.0.2.1"):
        line = here.refused(
            "serve", "--port", "0", "--host", host, "--token-file", token_file, code=2
        )
        assert host in line


def test_a_cluster_that_does_not_answer_is_told(here: Site) -> None:
    """In one line."""
    line = here.refused("serve", "--port", "0", "--bootstrap", "127.0.0.1:1")

    assert "127.0.0.1:1" in line


def test_without_the_extra_it_says_how_to_install_it(here: Site, tmp_path: Path) -> None:
    """One line, and nothing is started."""
    (tmp_path / "fastapi.py").write_text("raise ImportError(name='fastapi')\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "kafkalab", "serve", "--port", "0"],
        env={**here.environment, "PYTHONPATH": str(tmp_path)},
        cwd=here.folder,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "pip install 'pytest-kafkalab[api]'" in done.stderr


def test_its_help_has_an_example(here: Site) -> None:
    """As that of each command."""
    assert "Example: kafkalab serve" in " ".join(here.kafkalab("serve", "--help").split())


# How it ends


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_its_end_closes_what_it_has_opened(here: Site, how: signal.Signals, code: int) -> None:
    """Members leave at once, streams end, and it takes no longer than a few seconds."""
    topic, group = here.topic(partitions=2), here.name(f"group-{how.name}")
    with served(here, "--allow-foreign") as api:
        path = f"/api/kafka/groups/{group}/members"
        for _ in range(2):
            api.ask("POST", path, status=201, json={"topics": [topic], "protocol": "cooperative"})
        wait_until(
            lambda: [len(each) for each in describe_group(here.admin, group).assignments],
            lambda counts: counts == [1, 1],
            limit=LIMIT,
            what="both members to own one",
        )
        stream = api.events(topic=topic, group=group)
        began = time.monotonic()

        ended, errors = api.end(how)

        took = time.monotonic() - began
        described = describe_group(here.admin, group)
    assert stream.is_over.wait(5), "the stream has ended"
    assert ended == code
    assert errors == ""
    assert took < 10, f"it took {took:.1f} s"
    assert described.state == "EMPTY", "a member that has not left would be missed for 6 s"
    assert not described.assignments


def test_it_ends_while_its_broker_is_gone(tmp_path: Path) -> None:
    """Within its limit: members cannot leave then."""
    with site(tmp_path) as own, served(own, "--allow-foreign") as api:
        topic = own.topic()
        api.ask("POST", "/api/kafka/groups/g/members", status=201, json={"topics": [topic]})
        wait_until(
            lambda: describe_group(own.admin, "g").assignments, limit=LIMIT, what="the member"
        )
        api.events(topic=topic, group="g")
        for pid in own.pids:
            os.kill(pid, signal.SIGKILL)
        began = time.monotonic()

        ended, _ = api.end()

        took = time.monotonic() - began
    assert ended == 143
    assert took < 30, f"it took {took:.1f} s"


# Its own lab


class Own:
    """A server that has started a lab of its own, in a cache folder without one."""

    def __init__(self, place: Place) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kafkalab", "serve", "--port", "0"],
            cwd=place.folder,
            env={**place.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert self.process.stdout is not None
        self.printed = ""
        for line in self.process.stdout:
            self.printed += line
            if line.startswith("Ctrl-C"):
                break
        found = re.search(r"(http://[\d.:]+)/", self.printed)
        assert found is not None, self.printed
        self.url = found[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGTERM)

    def end(self, how: signal.Signals) -> None:
        """End it as told, and wait for that; one that has ended is left alone."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.communicate(timeout=LIMIT)

    def ask(self, path: str) -> Any:
        """What is answered."""
        return httpx.get(f"{self.url}{path}", timeout=LIMIT).json()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_without_a_lab_it_starts_one_and_ends_it_with_itself(
    tmp_path: Path, how: signal.Signals
) -> None:
    """Also where it is killed; the lab has the topics of the demo."""
    place = Place(tmp_path)
    with Own(place) as own:
        brokers = list(brokers_of(place.cache / "runs"))
        cluster, topics = own.ask("/api/kafka/cluster"), own.ask(TOPICS)

        own.end(how)

    assert "it ends with this command" in own.printed
    assert (cluster["is_lab"], cluster["may_change"]) == (True, "all")
    assert {each["name"] for each in topics} >= {"orders", "user-events"}
    assert brokers, "it had a broker"
    wait_until(
        lambda: not any(each.is_running() for each in brokers),
        limit=LIMIT,
        what="its broker to end",
    )


def test_it_takes_the_lab_that_is_up_and_leaves_it(tmp_path: Path) -> None:
    """All may be changed there."""
    place = Place(tmp_path)
    place.up()
    try:
        with Own(place) as own:
            cluster = own.ask("/api/kafka/cluster")
        labs = place.labs
        bootstrap = place.bootstrap
    finally:
        place.kafkalab("down")

    assert (cluster["is_lab"], cluster["may_change"]) == (True, "all")
    assert cluster["bootstrap"] == bootstrap
    assert [each["state"] for each in labs] == ["up"]
