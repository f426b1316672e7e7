"""The external backend, on a cluster that something else started (see secured_cluster.py)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)
from foreign import (
    OPEN_SETTINGS,
    clean,
    differences,
    names_of_runs,
    plant,
    run_and_end,
    snapshot,
)
from hypothesis import given
from hypothesis import strategies as st
from partial_kafka import (
    CREATE_TOPICS,
    DELETE_GROUPS,
    DESCRIBE_CONFIGS,
    DESCRIBE_GROUPS,
    INIT_PRODUCER_ID,
    METADATA,
    partial_kafka,
)
from secured_cluster import (
    LAB,
    NO_CREATE,
    NO_GROUP,
    PASSWORD,
    STORE_PASSWORD,
    SecuredCluster,
    jaas,
    secured_cluster,
    shared_cluster,
)

from kafkalab.brokers import Topology, rights
from kafkalab.brokers.capabilities import of_cluster
from kafkalab.brokers.client_credentials import (
    BEARER_RETRIEVER,
    LOGIN_MODULES,
    OIDC_HANDLERS,
    STRIMZI_HANDLER,
)
from kafkalab.brokers.client_properties import read_client_properties, translate
from kafkalab.brokers.embedded import EmbeddedBackend
from kafkalab.brokers.errors import (
    AccessRefused,
    BadClientProperties,
    ClusterRefuses,
    MissingRight,
    NotOurs,
    TooOld,
)
from kafkalab.brokers.external import (
    ExternalBackend,
    broker_settings,
    connect,
    require_kafka_4,
)
from kafkalab.brokers.leftovers import Leftovers, delete_leftovers
from kafkalab.brokers.names import age_of, prefix_of, run_prefix
from kafkalab.brokers.properties import LAB_SETTINGS
from kafkalab.waiting import wait_until

# Seconds for what takes milliseconds on an idle machine; on one with a load of 30 it took 30.
LIMIT = 90.0

MANIFEST = """
module = {id = "T", title = "A module for tests", package = "."}

[[task]]
id = "9.1"
title = "Things"
question = "What is a thing?"
module = "test_task_9_1_things"
component = "topics"
facts.used = {hint = "Look.", no_control = "there is none"}
facts.fails = {hint = "Look.", no_control = "there is none"}
facts.restarts = {hint = "Look.", no_control = "there is none"}
facts.is-alone = {hint = "Look.", no_control = "there is none"}
"""

FACTS = """
import pytest

from kafkalab.observe.records import init_transactions, read, send, wait_for_end


@pytest.mark.fact("used", scope="any")
def test_a_cluster_is_used(topic, producer, consumer):
    '''A topic, a group and a transactional id can be used.'''
    name = topic(partitions=2)
    writer = producer({"transactional.id": topic.name()})
    init_transactions(writer)
    writer.begin_transaction()
    send(writer, name, [b"a", b"b"])
    writer.commit_transaction(30)
    reader = consumer()
    wait_for_end(reader, name, 3)
    records = read(reader, name)
    reader.commit(message=records[-1], asynchronous=False)
    assert [each.value() for each in records] == [b"a", b"b"]


@pytest.mark.fact("fails", scope="any")
def test_a_fact_that_fails(broker, evidence):
    '''A failing fact shows the properties that it has in its hands.'''
    config = broker.client_properties()
    fail_with({each: config[each] for each in ("sasl.username", "sasl.password")})


def fail_with(config):
    assert config == {"something": "else"}


@pytest.mark.fact("restarts", scope="any")
@pytest.mark.needs("restart")
def test_a_broker_restarts(broker):
    '''A broker that is ended comes back.'''


@pytest.mark.fact("is-alone", scope="any")
def test_a_broker_is_alone(private_broker):
    '''A broker of one's own is alone.'''
"""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> SecuredCluster:
    """One cluster for all workers: the first starts it, and it ends when pytest does."""
    return shared_cluster(tmp_path_factory.getbasetemp())


@pytest.fixture
def backend(cluster: SecuredCluster) -> ExternalBackend:
    """The backend as the user LAB."""
    return ExternalBackend(cluster.bootstrap, cluster.properties_file(LAB), "")


@pytest.fixture
def lesson(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A lesson whose facts need a broker, an external one unless told otherwise."""
    monkeypatch.setenv("KAFKALAB_BACKEND", "external")
    monkeypatch.setenv("KAFKALAB_CACHE", str(pytester.path / "cache"))
    for variable in ("KAFKALAB_BOOTSTRAP", "KAFKALAB_CONFIG"):
        monkeypatch.delenv(variable, raising=False)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\nkafkalab_curriculum = 'module.toml'")
    (pytester.path / "module.toml").write_text(MANIFEST, "utf-8")
    (pytester.path / "test_task_9_1_things.py").write_text(FACTS, "utf-8")
    return pytester


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("KAFKALAB_BACKEND", "KAFKALAB_BOOTSTRAP", "KAFKALAB_CONFIG"):
        monkeypatch.delenv(variable, raising=False)


# Names


@given(
    # Until the year 2242.
    started=st.floats(0, 2**33),
    run=st.text("0123456789abcdef", min_size=6, max_size=12),
    rest=st.text(min_size=1),
    later=st.floats(0, 1e9),
)
def test_a_name_tells_its_run_and_age(started: float, run: str, rest: str, later: float) -> None:
    """From any name of a run its prefix and its age can be told."""
    prefix = run_prefix(started, run)

    assert prefix_of(prefix + rest) == prefix
    # To the second: names have no fractions.
    assert age_of(prefix + rest, started + later) == pytest.approx(later, abs=1.1)


@pytest.mark.parametrize(
    "name",
    [
        "payments",
        "kafkalab",
        "kafkalab-",
        "kafkalab-notes",
        "kafkalab-first",
        "kafkalab-20261125T024713-notes",
        "kafkalab-20261325T024713-ab12cd-month-13",
        "kafkalab-20261125T024713-zzzzzz-no-hex",
        "my-kafkalab-20261125T024713-ab12cd-thing",
        "KAFKALAB-20261125T024713-ab12cd-thing",
    ],
)
def test_other_names_belong_to_no_run(name: str) -> None:
    """A name that is not quite like a run's is nobody's, and so nothing happens to it."""
    assert prefix_of(name) is None
    assert age_of(name, time.time()) is None


# What a cluster can do


def test_a_cluster_can_do_what_its_settings_allow() -> None:
    """Capabilities are read off the broker's settings: the lab's have all, unknown ones none."""
    stock = {
        "auto.create.topics.enable": "true",
        "group.min.session.timeout.ms": "6000",
        "group.consumer.heartbeat.interval.ms": "5000",
        "group.consumer.session.timeout.ms": "45000",
        "log.retention.check.interval.ms": "300000",
        "log.cleaner.backoff.ms": "15000",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "10000",
    }

    assert of_cluster(None) == frozenset()
    assert of_cluster({}) == {"broker_settings"}, "a setting that it does not show"
    assert of_cluster(stock) == {"broker_settings", "quick_aborts"}
    of_the_lab = of_cluster({**stock, **LAB_SETTINGS})
    assert of_the_lab == EmbeddedBackend.capabilities - {
        *("private_broker", "restart", "log_dirs", "jars"),
    }
    assert of_cluster({**stock, "log.cleaner.backoff.ms": "100"}) == {
        "broker_settings",
        "quick_aborts",
        "quick_compaction",
    }


def test_the_clusters_nodes_are_known_as_they_advertise_themselves(
    backend: ExternalBackend, cluster: SecuredCluster
) -> None:
    """What clients get is the advertised addresses, with all that lets them in."""
    broker = backend.broker

    assert broker.node_ids == broker.running_ids == (1,)
    assert broker.bootstrap == cluster.bootstrap
    assert broker.client_properties()["sasl.username"] == LAB
    assert broker.capabilities == {"broker_settings", "quick_aborts"}
    attached = backend.attach(json.loads(json.dumps(broker.state())))
    assert attached.client_properties() == broker.client_properties()
    assert attached.capabilities == broker.capabilities
    assert PASSWORD not in json.dumps(broker.state())


def test_what_is_not_ours_is_refused(backend: ExternalBackend, tmp_path: Path) -> None:
    """No broker is started or ended there."""
    with pytest.raises(NotOurs, match="--kafkalab-backend=embedded"):
        backend.launch(Topology(brokers=3), tmp_path)
    with pytest.raises(NotOurs, match="end node 1"):
        backend.broker.kill(1, how=None)  # type: ignore[arg-type]


def test_a_kafka_before_4_is_refused(backend: ExternalBackend) -> None:
    """A cluster older than Kafka 4.0 tells its protocol's version; a newer one has none to tell."""
    with pytest.raises(TooOld, match=r"Your cluster runs Kafka 3\.9, and lessons need 4\.0"):
        # As Kafka 3.9.1 tells it.
        require_kafka_4({"inter.broker.protocol.version": "3.9-IV0"})

    of_this_one = backend.broker.client_properties()
    settings = broker_settings(AdminClient(of_this_one), backend.broker.node_ids[0])
    assert settings, "this one shows its settings"
    require_kafka_4(settings)


# Ways in


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"])
def test_each_mechanism_lets_its_user_in(cluster: SecuredCluster, mechanism: str) -> None:
    """What Java's login modules are configured with is what librdkafka logs in with."""
    module = LOGIN_MODULES[mechanism]
    file = cluster.properties_file(
        LAB, sasl_mechanism=mechanism, sasl_jaas_config=jaas(LAB, PASSWORD, module)
    )

    _, nodes = connect(read_client_properties(file, cluster.bootstrap))

    assert list(nodes) == [1]


def test_a_token_lets_its_user_in(cluster: SecuredCluster) -> None:
    """OAUTHBEARER goes by librdkafka's own names, here with a token that nobody has signed."""
    properties = {
        "sasl_mechanism": "OAUTHBEARER",
        "sasl_jaas_config": None,
        "enable_sasl_oauthbearer_unsecure_jwt": "true",
        "sasl_oauthbearer_config": f"principal={LAB}",
    }
    file = cluster.properties_file(LAB, **properties)

    _, nodes = connect(read_client_properties(file, cluster.bootstrap))

    assert list(nodes) == [1]


def encoded(data: Mapping[str, object]) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


class Issuer(BaseHTTPRequestHandler):
    """Gives LAB a token that nobody has signed, and keeps who asked and how."""

    asked: ClassVar[list[tuple[str | None, str]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.asked.append((self.headers["Authorization"], body))
        now = int(time.time())
        claims = encoded({"sub": LAB, "iat": now, "exp": now + 3600})
        token = f"{encoded({'alg': 'none'})}.{claims}."
        answer = json.dumps({"access_token": token, "expires_in": 3600}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def issuer() -> Iterator[str]:
    """The address of who issues tokens."""
    Issuer.asked.clear()
    with HTTPServer(("127.0.0.1", 0), Issuer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/token"
        server.shutdown()


OAUTH_MODULE = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"


def bought_by_java(url: str) -> dict[str, str]:
    return {
        "sasl_login_callback_handler_class": OIDC_HANDLERS[0],
        "sasl_oauthbearer_token_endpoint_url": url,
        "sasl_jaas_config": f'{OAUTH_MODULE} required clientId="a lab" clientSecret="s3+/=" '
        'scope="all of it" extension_team="x, y";',
    }


def bought_by_strimzi(url: str) -> dict[str, str]:
    return {
        "sasl_login_callback_handler_class": STRIMZI_HANDLER,
        "sasl_jaas_config": f'{OAUTH_MODULE} required oauth.client.id="a lab" '
        f'oauth.client.secret="s3+/=" oauth.scope="all of it" oauth.token.endpoint.uri="{url}";',
    }


@pytest.mark.parametrize(
    ("properties", "client", "scope"),
    [
        # As Kafka 4.4.0's own client asked the same issuer.
        (bought_by_java, "a lab:s3+/=", "all of it"),
        # As Strimzi's OAuthAuthenticator writes it.
        (bought_by_strimzi, "a+lab:s3%2B%2F%3D", "all+of+it"),
    ],
)
def test_a_token_is_bought(
    cluster: SecuredCluster,
    issuer: str,
    properties: Callable[[str], dict[str, str]],
    client: str,
    scope: str,
) -> None:
    """Java's and Strimzi's client credentials get a token, asked for in the same words, and in."""
    file = cluster.properties_file(LAB, sasl_mechanism="OAUTHBEARER", **properties(issuer))

    _, nodes = connect(read_client_properties(file, cluster.bootstrap))

    assert list(nodes) == [1]
    header = f"Basic {base64.b64encode(client.encode()).decode()}"
    assert set(Issuer.asked) == {(header, f"grant_type=client_credentials&scope={scope}")}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_a_token_is_bought_with_a_signature(
    cluster: SecuredCluster, issuer: str, tmp_path: Path
) -> None:
    """Java's JwtBearerJwtRetriever shows the issuer an assertion, and no secret."""
    key = tmp_path / "key.pem"
    command = ["openssl", "genpkey", "-algorithm", "RSA", "-out", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    properties = {
        "sasl_login_callback_handler_class": OIDC_HANDLERS[0],
        "sasl_oauthbearer_jwt_retriever_class": BEARER_RETRIEVER,
        "sasl_oauthbearer_token_endpoint_url": issuer,
        "sasl_oauthbearer_assertion_private_key_file": str(key),
        "sasl_oauthbearer_assertion_claim_sub": LAB,
        "sasl_oauthbearer_scope": "all",
        "sasl_jaas_config": f"{OAUTH_MODULE} required;",
    }
    file = cluster.properties_file(LAB, sasl_mechanism="OAUTHBEARER", **properties)

    _, nodes = connect(read_client_properties(file, cluster.bootstrap))

    assert list(nodes) == [1]
    header, body = Issuer.asked[0]
    assert header is None
    form = urllib.parse.parse_qs(body)
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assert form["scope"] == ["all"]
    claims = form["assertion"][0].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(f"{claims}==="))["sub"] == LAB


def test_an_issuer_who_is_not_there(cluster: SecuredCluster) -> None:
    """It is told as that, not as a wrong password."""
    properties = bought_by_java("http://127.0.0.1:1/token")
    file = cluster.properties_file(LAB, sasl_mechanism="OAUTHBEARER", **properties)

    with pytest.raises(AccessRefused, match=r"No token for the cluster.*\.token\.endpoint\.url"):
        connect(read_client_properties(file, cluster.bootstrap))


def test_java_without_a_handler_has_a_token_that_nobody_signed(cluster: SecuredCluster) -> None:
    """Java's default for OAUTHBEARER lets its user in where the cluster takes such tokens."""
    jaas_config = f'{OAUTH_MODULE} required unsecuredLoginStringClaim_sub="{LAB}" extension_a="b";'
    file = cluster.properties_file(LAB, sasl_mechanism="OAUTHBEARER", sasl_jaas_config=jaas_config)

    _, nodes = connect(read_client_properties(file, cluster.bootstrap))

    assert list(nodes) == [1]


def test_properties_that_only_the_client_looks_at() -> None:
    """What the Python client refuses by itself is one line, and no traceback."""
    aws = (
        b"security.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER\nsasl.oauthbearer.method=oidc\n"
        b"sasl.oauthbearer.metadata.authentication.type=aws_iam\n"
    )

    with pytest.raises(BadClientProperties, match="librdkafka does not accept these properties"):
        connect(translate(aws, "127.0.0.1:1", ""))


@pytest.fixture(scope="session")
def pem(cluster: SecuredCluster) -> Path:
    """The key of cluster.key_store in a PEM file, its certificate behind it."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    path = cluster.folder / f"client-{os.getpid()}.pem"
    command = ["openssl", "pkcs12", "-nodes", "-in", str(cluster.key_store), "-out", str(path)]
    subprocess.run([*command, "-passin", f"pass:{STORE_PASSWORD}"], check=True, capture_output=True)
    return path


def certificate(cluster: SecuredCluster, **properties: str) -> Path:
    """A properties file of who has a certificate in place of a password."""
    no_sasl = {"sasl_mechanism": None, "sasl_jaas_config": None}
    return cluster.properties_file(LAB, security_protocol="SSL", **no_sasl, **properties)


def test_a_key_in_a_pkcs12_file_lets_its_owner_in(cluster: SecuredCluster) -> None:
    """Where the broker asks for a certificate, the keystore has it."""
    file = certificate(
        cluster,
        ssl_keystore_type="PKCS12",
        ssl_keystore_location=str(cluster.key_store),
        ssl_keystore_password=STORE_PASSWORD,
    )

    _, nodes = connect(read_client_properties(file, cluster.certified))

    assert list(nodes) == [1]


def test_a_key_in_a_pem_file_lets_its_owner_in(cluster: SecuredCluster, pem: Path) -> None:
    """One file with the key and its certificate (KIP-651), or both in the properties."""
    in_a_file = certificate(cluster, ssl_keystore_type="PEM", ssl_keystore_location=str(pem))
    key, begin, chain = pem.read_text("utf-8").partition("-----BEGIN CERTIFICATE-----")
    in_the_properties = certificate(
        cluster,
        ssl_keystore_type="PEM",
        ssl_keystore_key=key,
        ssl_keystore_certificate_chain=begin + chain,
    )

    for file in (in_a_file, in_the_properties):
        _, nodes = connect(read_client_properties(file, cluster.certified))

        assert list(nodes) == [1]


def test_without_a_key_nobody_comes_in_there(cluster: SecuredCluster) -> None:
    """The line names TLS, and is no hang."""
    properties = read_client_properties(certificate(cluster), cluster.certified)

    with pytest.raises(AccessRefused, match="TLS"):
        connect(properties)


# A run


@pytest.mark.parametrize("workers", ["-n0", "-n2"], ids=["one process", "two workers"])
def test_a_run_uses_the_cluster_and_leaves_nothing(
    lesson: pytest.Pytester, cluster: SecuredCluster, workers: str
) -> None:
    """A run uses what it made there and deletes it; what it cannot do is skipped with the reason.

    And nothing that it writes has the password in it, a failing fact's output
    neither.
    """
    result = lesson.runpytest_subprocess(
        *("-p", "no:randomly", "--showlocals", workers, "-rs"),
        f"--kafkalab-bootstrap={cluster.bootstrap}",
        f"--kafkalab-config={cluster.properties_file(LAB, acks='1')}",
        *("--junitxml=reports/junit.xml", "--kafkalab-concept-summary=reports/summary.md"),
        timeout=120,
    )

    result.assert_outcomes(passed=1, failed=1, skipped=2)
    result.stdout.fnmatch_lines(
        [f"kafka: your cluster at {cluster.bootstrap}, without acks of *.properties"]
    )
    output = f"{result.stdout.str()}{result.stderr.str()}"
    assert "needs restart, which the external backend does not have: use" in output
    assert "needs private_broker, which the external backend does not have: use" in output
    assert "'sasl.password': '***'" in output, "it was printed, but for its value"
    (record,) = (lesson.path / "reports" / "runs").glob("*.json")
    written = {
        path.name: path.read_text("utf-8")
        for path in (lesson.path / "reports").rglob("*")
        if path.is_file()
    }
    assert {"run.html", "learning_log.html", "junit.xml", "summary.md", record.name} <= set(written)
    # Up to its quotation mark, which each form writes in another way.
    secret = PASSWORD.partition('"')[0]
    assert [name for name, text in {**written, "output": output}.items() if secret in text] == []
    prefix = run_prefix(0, json.loads(record.read_text("utf-8"))["run"])[-7:]
    assert not [name for name in names_of_runs(cluster) if prefix in name], "nothing is left"


# Others, and what is left


@pytest.mark.usefixtures("lesson")
def test_what_belongs_to_others_stays_as_it_is() -> None:
    """Foreign topics, groups and transactions are the same after a run, however that ended.

    What a killed run left is found by its name, shown and deleted. All this with
    no right outside the prefix.
    """
    command = [sys.executable, "-m", "pytest", "-k", "used"]
    with secured_cluster() as own:
        planted = plant(own)
        before = snapshot(own)

        to_its_end = run_and_end(own, command, None, 0)
        left_by_none = names_of_runs(own)
        run_and_end(own, command, signal.SIGINT, 0.1)
        run_and_end(own, command, signal.SIGKILL, 0.1)
        left = names_of_runs(own)
        said = clean(own)

        after = snapshot(own)
        can = ExternalBackend(own.bootstrap, own.properties_file(LAB), "").capabilities
        assert to_its_end == 0, "its facts held"
        assert left_by_none == [], "and it tidied up"
        assert all(name in said for name in left), "shown before it is deleted"
        assert names_of_runs(own) == []
        assert differences(before, after) == []
        assert "payments" not in said, "what is not ours is not even named"
        assert can == frozenset(), "nobody may see the settings of this cluster"
        planted.end_transaction()


@pytest.mark.usefixtures("lesson")
def test_nothing_is_made_outside_the_prefix(repository: Path) -> None:
    """Not even by a record that is refused, on a cluster that creates each topic asked for.

    For all of Module A: `python tests/foreign.py open`.
    """
    facts = [str(repository / "tests_module_a"), "-k", "oversize_fails_at_once"]
    command = [sys.executable, "-m", "pytest", f"--rootdir={repository}", "-c", os.devnull, *facts]
    with secured_cluster(OPEN_SETTINGS) as own:
        planted = plant(own)
        before = snapshot(own)

        code = run_and_end(own, command, None, 0, user=None)

        assert code == 0, "its facts held"
        assert names_of_runs(own) == [], "and it tidied up"
        assert differences(before, snapshot(own)) == []
        planted.end_transaction()


def test_a_groups_settings_go_with_it(cluster: SecuredCluster) -> None:
    """What a lesson has set for a group is taken back: it would outlive the group."""
    admin, client = AdminClient(cluster.administrator), cluster.client(LAB)
    group = run_prefix(time.time(), "abcdef") + "with-settings"
    name = "consumer.session.timeout.ms"

    def source() -> ConfigSource:
        resource = ConfigResource(ResourceType.GROUP, group)
        return ConfigSource(admin.describe_configs([resource])[resource].result(LIMIT)[name].source)

    entry = ConfigEntry(name, "50000", incremental_operation=AlterConfigOpType.SET)
    setting = ConfigResource(ResourceType.GROUP, group, incremental_configs=[entry])
    admin.incremental_alter_configs([setting])[setting].result(LIMIT)
    wait_until(source, lambda seen: seen != ConfigSource.DEFAULT_CONFIG, limit=LIMIT, what="it")

    # A coordinator that was just made may refuse at first, which is told.
    delete_leftovers(client, Leftovers((), (group,)), [].append)

    wait_until(source, lambda seen: seen == ConfigSource.DEFAULT_CONFIG, limit=LIMIT, what="less")


# Trouble: one clear line, no hang, nothing left


@pytest.fixture
def says(lesson: pytest.Pytester) -> Callable[..., str]:
    """Runs the lesson, which ends at once with one line on stderr; returns it."""

    def run(*arguments: str) -> str:
        result = lesson.runpytest_subprocess("-n0", *arguments, timeout=60)
        said = [line for line in result.stderr.lines if line.strip()]
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert len(said) == 1, "one line says all"
        assert PASSWORD not in said[0]
        return said[0]

    return run


def test_no_bootstrap(says: Callable[..., str]) -> None:
    """External without any address says how to give one."""
    assert "add --kafkalab-bootstrap=host:port" in says()


def test_a_bad_file(says: Callable[..., str], cluster: SecuredCluster) -> None:
    """Slips of the finger and contradictory keys are named."""
    path = cluster.properties_file(LAB, sasl_password="x", sasl_mechanismn="x")

    line = says(f"--kafkalab-bootstrap={cluster.bootstrap}", f"--kafkalab-config={path}")

    assert "sasl.mechanismn is unknown (did you mean sasl.mechanism?)" in line
    assert "sasl.jaas.config contradicts sasl.password: keep one" in line


def test_nobody_listens(says: Callable[..., str]) -> None:
    """An address where nobody listens is named."""
    line = says("--kafkalab-bootstrap=127.0.0.1:1")

    assert "No Kafka answers at 127.0.0.1:1 (Connect to ipv4#127.0.0.1:1 failed" in line
    assert "To do: check --kafkalab-bootstrap, or the servers that the file" in line


def test_a_host_that_does_not_exist(says: Callable[..., str]) -> None:
    """A host whose name nobody knows is named."""
    assert "No Kafka answers at no-such-host.invalid:9092" in says(
        "--kafkalab-bootstrap=no-such-host.invalid:9092"
    )


def test_somebody_listens_who_says_nothing(says: Callable[..., str]) -> None:
    """A port that takes connections and never answers is given up."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]

        assert f"No Kafka answers at 127.0.0.1:{port}" in says(
            f"--kafkalab-bootstrap=127.0.0.1:{port}"
        )


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {"sasl_jaas_config": jaas(LAB, "wrong")},
            "does not let this user in (SASL authentication error",
        ),
        ({"sasl_mechanism": "PLAIN", "sasl_jaas_config": None}, "PLAIN needs a username and a"),
        (
            {"ssl_truststore_type": None, "ssl_truststore_location": None},
            "a truststore without the cluster's authority",
        ),
        (
            {
                **dict.fromkeys(("sasl_mechanism", "sasl_jaas_config", "ssl_truststore_type")),
                "ssl_truststore_location": None,
                "security_protocol": "PLAINTEXT",
            },
            "takes connections and hangs up (Disconnected",
        ),
    ],
    ids=["wrong password", "no password", "unknown authority", "plaintext to TLS"],
)
def test_who_is_not_let_in(
    says: Callable[..., str], cluster: SecuredCluster, changed: dict[str, Any], expected: str
) -> None:
    """Wrong credentials, an unknown authority and plaintext to a TLS port are told apart."""
    path = cluster.properties_file(LAB, **changed)

    line = says(f"--kafkalab-bootstrap={cluster.bootstrap}", f"--kafkalab-config={path}")

    assert expected in line


def test_tls_to_a_plaintext_port(says: Callable[..., str], cluster: SecuredCluster) -> None:
    """TLS to a port that speaks none says so."""
    path = cluster.properties_file(LAB)

    line = says(f"--kafkalab-bootstrap={cluster.plaintext}", f"--kafkalab-config={path}")

    assert f"No TLS with {cluster.plaintext}" in line


@pytest.mark.parametrize(
    ("user", "lacks"),
    [(NO_CREATE, "Create on topic."), (NO_GROUP, "Read on group.")],
)
def test_a_missing_right_is_named(
    says: Callable[..., str], cluster: SecuredCluster, user: str, lacks: str
) -> None:
    """Who may not create topics, or use groups, is told which right is missing."""
    path = cluster.properties_file(user)

    line = says(f"--kafkalab-bootstrap={cluster.bootstrap}", f"--kafkalab-config={path}")

    assert f"This user lacks rights for names that begin with kafkalab-: {lacks}" in line


def test_asking_for_rights_leaves_nothing(
    cluster: SecuredCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The topic and group by which rights are asked for are gone, also where one is missing."""
    prefix = run_prefix(time.time(), "facade")
    monkeypatch.setattr(rights, "run_prefix", lambda *_: prefix)

    rights.require_rights(cluster.client(LAB))
    with pytest.raises(MissingRight):
        rights.require_rights(cluster.client(NO_GROUP))

    assert not [name for name in names_of_runs(cluster) if name.startswith(prefix)]


# Servers that are not all of Kafka


@pytest.mark.parametrize(
    ("without", "says"),
    [
        ({DESCRIBE_CONFIGS: -1}, "it does not know DescribeConfigs."),
        (
            {CREATE_TOPICS: -1, INIT_PRODUCER_ID: -1},
            "it does not know CreateTopics, InitProducerId.",
        ),
        # Asked for it all the same, librdkafka would abort this process.
        ({DELETE_GROUPS: -1}, "it does not know DeleteGroups."),
        # The versions before those that tell it.
        ({METADATA: 7}, "it does not report what a user may do with a topic."),
        ({DESCRIBE_GROUPS: 2}, "it does not report what a user may do with a group."),
    ],
    ids=str,
)
def test_a_server_that_speaks_kafka_only_in_part(
    cluster: SecuredCluster, without: dict[int, int], says: str
) -> None:
    """It is told as that, and not as rights that a user lacks."""
    with (
        partial_kafka(cluster.plaintext, without) as address,
        pytest.raises(ClusterRefuses) as told,
    ):
        ExternalBackend(address, None, "").prepare(print)

    assert f"The server speaks Kafka only in part: {says}" in str(told.value)
    assert not [name for name in names_of_runs(cluster) if name.endswith("rights")]


def test_the_proxy_of_these_tests_leaves_the_rest_as_it_is(cluster: SecuredCluster) -> None:
    """With nothing taken away, a run would begin."""
    with partial_kafka(cluster.plaintext, {}) as address:
        ExternalBackend(address, None, "").prepare(print)


def test_a_mock_of_kafka_is_told_at_once() -> None:
    """librdkafka's own knows no topics, groups or settings."""
    mock = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 0})
    (broker,) = mock.list_topics(timeout=LIMIT).brokers.values()

    with pytest.raises(ClusterRefuses, match=r"speaks Kafka only in part: .* CreateTopics, "):
        ExternalBackend(f"{broker.host}:{broker.port}", None, "").prepare(print)
