"""A Java client's properties file becomes librdkafka's properties, or a line that says why not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import javaproperties
import pytest
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kafkalab.brokers import client_credentials
from kafkalab.brokers.client_credentials import OIDC_HANDLERS, STRIMZI_HANDLER
from kafkalab.brokers.client_properties import (
    CONNECTION,
    KNOWN,
    ClientProperties,
    Secret,
    read_client_properties,
    translate,
)
from kafkalab.brokers.client_stores import as_pem, kind_of
from kafkalab.brokers.distribution import Distribution, find_java
from kafkalab.brokers.errors import BadClientProperties, NoBootstrap
from kafkalab.brokers.java_properties import JAVA_BLANKS, in_ranges, nearest
from kafkalab.config import Settings
from kafkalab.librdkafka import librdkafka_defaults, librdkafka_ranges
from kafkalab.observe.defaults import java_defaults

CACHE = Settings.from_environment().cache
SAMPLES = Path(__file__).parent / "properties"
EXPECTED: Mapping[str, Any] = tomllib.loads((SAMPLES / "expected.toml").read_text("utf-8"))

SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
OAUTH = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
KERBEROS = "com.sun.security.auth.module.Krb5LoginModule"
ANYWHERE = "127.0.0.1:9092"

WITH_SCRAM = {
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.jaas.config": f'{SCRAM} required username="alice" password="s3cret";',
}
WITH_TOKEN = {
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "OAUTHBEARER",
    "sasl.login.callback.handler.class": OIDC_HANDLERS[0],
    "sasl.oauthbearer.token.endpoint.url": "https://issuer.example/token",
    "sasl.jaas.config": f'{OAUTH} required clientId="lab" clientSecret="s3cret";',
}


@pytest.fixture(scope="module", autouse=True)
def _as_on_linux() -> Iterator[None]:
    """The wheel's librdkafka has no Kerberos there; elsewhere it may have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            client_credentials, "librdkafka_defaults", lambda: {"builtin.features": "ssl,sasl"}
        )
        yield


def as_file(properties: Mapping[str, str]) -> bytes:
    """The text of a properties file."""
    return javaproperties.dumps(properties, timestamp=False).encode("latin-1")


def became(properties: Mapping[str, str]) -> ClientProperties:
    """What becomes of properties that are taken."""
    return translate(as_file(properties), ANYWHERE, "the file")


def translated(**given: str) -> dict[str, str]:
    """Properties by Java's names, with `_` for `.`, translated."""
    return dict(became({key.replace("_", "."): value for key, value in given.items()}).librdkafka)


def problem(properties: Mapping[str, str] | bytes, bootstrap: str = ANYWHERE) -> str:
    """The line that says why these properties are not taken."""
    data = properties if isinstance(properties, bytes) else as_file(properties)
    with pytest.raises(BadClientProperties) as told:
        translate(data, bootstrap, "the file")
    text = str(told.value)
    assert "\n" not in text, "it is one line"
    assert "s3cret" not in text, "no secret is in it"
    return text


# Samples


def test_each_sample_has_its_expectation() -> None:
    """A file without one would be tried by nobody."""
    assert {path.name for path in SAMPLES.iterdir()} - {"expected.toml"} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_is_taken_or_told(name: str) -> None:
    """A file as people have it is translated, and librdkafka takes it; or one line says why not.

    Secrets are in no such line, nor in what is named as left out.
    """
    expected, data = EXPECTED[name], (SAMPLES / name).read_bytes()
    if "says" in expected:
        text = problem(data, "")
        assert [each for each in expected["says"] if each not in text] == [], text
        return
    found = translate(data, "", name)
    certificate = as_pem((SAMPLES / "pem_on_one_line.properties").read_text("utf-8"), "CERTIFICATE")
    wanted = {
        key: certificate if value == "THE CERTIFICATE" else value
        for key, value in expected["librdkafka"].items()
    }
    assert dict(found.librdkafka) == wanted
    assert list(found.left_out) == expected["left_out"]
    AdminClient({**found.librdkafka, "log_level": 0})


# How all passwords of samples look, and a key's body.
SECRET = re.compile(rb"zq[0-9]{2}[/-]\w+[+-]\w+(?:==)?|(?:Tm90|eU5v)\w+=*")
SECRETS = sorted(
    {
        secret.decode()
        for name in EXPECTED
        for secret in SECRET.findall((SAMPLES / name).read_bytes().replace(b"\0", b""))
    }
)
WINDOW = 8


def leaks(text: str) -> list[str]:
    """The parts of samples' secrets, of WINDOW signs each, that a text has."""
    parts = {
        secret[at : at + WINDOW] for secret in SECRETS for at in range(len(secret) - WINDOW + 1)
    }
    return sorted(part for part in parts if part in text)


def told(data: bytes) -> str:
    """All that a user sees of a file: why it is not taken, or what of it is left out."""
    try:
        found = translate(data, ANYWHERE, "the file")
    except (BadClientProperties, NoBootstrap) as error:
        return str(error)
    shown = {key: value for key, value in found.librdkafka.items() if not isinstance(value, Secret)}
    return f"{found.left_out} {found!r} {shown.get('bootstrap.servers')}"


INSERTED = ("\n", "\\", "\\\n", '"', "'", "=", " ", ";", "\\u", "\0", ":", ",", "#", "\r")
edits = st.tuples(st.sampled_from(["delete", "cut", "double", *INSERTED]), st.floats(0, 1))


def edited(text: str, kind: str, where: float) -> str:
    """A text after a slip of the finger: a sign that came or went, a line that is gone or twice."""
    at = int(where * len(text))
    if kind == "delete":
        return text[:at] + text[at + 1 :]
    if kind in INSERTED:
        return text[:at] + kind + text[at:]
    lines = text.splitlines(keepends=True)
    at = min(int(where * len(lines)), len(lines) - 1)
    lines[at : at + 1] = lines[at : at + 1] * (2 if kind == "double" else 0)
    return "".join(lines)


@pytest.mark.parametrize("name", EXPECTED)
def test_no_sample_shows_a_secret(name: str) -> None:
    """Neither why a file is not taken nor what of it is left out has any of its secrets."""
    assert leaks(told((SAMPLES / name).read_bytes())) == []


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(sorted(EXPECTED)), slips=st.lists(edits, min_size=1, max_size=4))
def test_slips_of_the_finger_show_no_secret(name: str, slips: list[tuple[str, float]]) -> None:
    """A backslash, a quotation mark or a line too few or too many puts no secret into a message."""
    text = (SAMPLES / name).read_bytes().decode("latin-1")
    for kind, where in slips:
        text = edited(text, kind, where) or " "

    said = told(text.encode("latin-1"))

    assert leaks(said) == []
    assert "\n" not in said, "it is one line"


def test_secrets_of_samples_are_found() -> None:
    """The tests above look for secrets that are there."""
    assert len(SECRETS) >= 20
    assert leaks("x" + SECRETS[0] + "x")


# What lets a client in


def test_scram_credentials_come_out_of_jaas() -> None:
    """What Java's login module is configured with becomes sasl.username and sasl.password."""
    found = dict(became(WITH_SCRAM).librdkafka)

    assert found == {
        "bootstrap.servers": ANYWHERE,
        "security.protocol": "sasl_plaintext",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "alice",
        "sasl.password": "s3cret",
    }
    AdminClient({**found, "log_level": 0})


@given(
    user=st.text(st.characters(exclude_characters="\0", codec="latin-1"), min_size=1),
    password=st.text(st.characters(exclude_characters="\0", codec="latin-1"), min_size=1),
)
def test_any_credentials_survive_quoting(user: str, password: str) -> None:
    """Quotes, blanks, line ends, semicolons and backslashes in credentials are kept."""

    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        # The end of a line would end what is quoted.
        return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r") + '"'

    jaas = f"{PLAIN} required\n  username={quoted(user)}\n  password={quoted(password)};"

    found = translated(
        security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", sasl_jaas_config=jaas
    )

    assert (found["sasl.username"], found["sasl.password"]) == (user, password)


@given(
    st.dictionaries(
        st.sampled_from(["client.id", "client.rack"]),
        st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0")),
        min_size=1,
    )
)
def test_a_file_is_read_as_java_reads_it(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]
) -> None:
    """Escapes, Latin-1 and comments are java.util.Properties'; blanks at the ends fall away."""
    path = tmp_path_factory.mktemp("properties") / "client.properties"
    path.write_bytes(javaproperties.dumps(values, comments="for the lab").encode("latin-1"))

    found = read_client_properties(path, ANYWHERE).librdkafka

    assert {key: found[key] for key in values} == {
        k: v.strip(JAVA_BLANKS) for k, v in values.items()
    }


def test_javas_plain_takes_either_login_module() -> None:
    """Java's PLAIN asks a login module for its credentials only; SCRAM comes with its own one."""
    plain = {**WITH_SCRAM, "sasl.mechanism": "PLAIN"}

    assert became(plain).librdkafka["sasl.password"] == "s3cret"
    assert "with PlainLoginModule contradicts SCRAM-SHA-512" in problem(
        {**WITH_SCRAM, "sasl.jaas.config": WITH_SCRAM["sasl.jaas.config"].replace(SCRAM, PLAIN)}
    )


@pytest.mark.parametrize(
    ("option", "left_out"),
    [
        ('tokenauth="false"', "tokenauth of sasl.jaas.config"),
        ('serviceName="kafka"', "serviceName of sasl.jaas.config"),
        ('user_alice="s3cret"', "user_alice of sasl.jaas.config"),
        ('"quoted name"="x"', "an option of sasl.jaas.config"),
        ("x7=y", "an option of sasl.jaas.config"),
    ],
)
def test_options_without_effect_are_named(option: str, left_out: str) -> None:
    """What Java's login module does not look at is left out, and the header says so."""
    jaas = f'{SCRAM} required username="alice" password="s3cret" {option};'

    assert became({**WITH_SCRAM, "sasl.jaas.config": jaas}).left_out == (left_out,)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ('tokenauth="True"', "tokenauth=true of sasl.jaas.config means a delegation token"),
        ('tokenAuth="true"', "tokenAuth of sasl.jaas.config is unknown (did you mean tokenauth?)"),
        ('Username="x"', "Username of sasl.jaas.config is unknown (did you mean username?)"),
    ],
)
def test_options_that_would_change_who_gets_in_are_refused(option: str, says: str) -> None:
    """A delegation token, and what is a slip of the finger, is not dropped in silence."""
    jaas = f'{SCRAM} required username="alice" password="s3cret" {option};'

    assert says in problem({**WITH_SCRAM, "sasl.jaas.config": jaas})


def test_tokens_are_bought_as_java_buys_them() -> None:
    """OpenID Connect's credentials are in sasl.jaas.config or, since Kafka 4.1, in properties."""
    in_jaas = became(WITH_TOKEN)
    as_properties = became(
        {
            **WITH_TOKEN,
            "sasl.jaas.config": f"{OAUTH} required;",
            "sasl.oauthbearer.client.credentials.client.id": "lab",
            "sasl.oauthbearer.client.credentials.client.secret": "s3cret",
        }
    )

    assert in_jaas == as_properties
    assert in_jaas.librdkafka["sasl.oauthbearer.method"] == "oidc"
    assert repr(in_jaas.librdkafka["sasl.oauthbearer.client.secret"]) == "'***'"
    AdminClient({**in_jaas.librdkafka, "log_level": 0})


def test_a_signed_assertion_buys_a_token(tmp_path: Path) -> None:
    """Java's JwtBearerJwtRetriever is librdkafka's grant type of that name; it needs no secret."""
    taken = became(
        {
            **WITH_TOKEN,
            "sasl.oauthbearer.jwt.retriever.class": (
                "org.apache.kafka.common.security.oauthbearer.JwtBearerJwtRetriever"
            ),
            "sasl.oauthbearer.assertion.private.key.file": str(tmp_path / "key.pem"),
            "sasl.oauthbearer.assertion.private.key.passphrase": "s3cret",
            "sasl.oauthbearer.assertion.template.file": str(tmp_path / "template.json"),
        }
    )

    found = taken.librdkafka
    assert found["sasl.oauthbearer.grant.type"].endswith(":jwt-bearer")
    assert found["sasl.oauthbearer.assertion.jwt.template.file"] == str(tmp_path / "template.json")
    assert isinstance(found["sasl.oauthbearer.assertion.private.key.passphrase"], Secret)
    assert taken.left_out == ("clientId of sasl.jaas.config", "clientSecret of sasl.jaas.config")
    AdminClient({**found, "log_level": 0})


def test_no_token_without_a_way_to_it() -> None:
    """Java needs a handler for client credentials; what librdkafka needs is told."""
    jaas = WITH_TOKEN["sasl.jaas.config"]

    text = problem(
        {"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER", "sasl.jaas.config": jaas}
    )

    assert "sasl.login.callback.handler.class is missing" in text
    assert "say sasl.oauthbearer.method=oidc" in text
    assert "clientId" not in text, "it is not to blame"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"sasl.oauthbearer.token.endpoint.url": "file:///tmp/token"},
            "it does not read a token from a file",
        ),
        ({"sasl.jaas.config": f"{OAUTH} required;"}, "needs the client's id and secret"),
        (
            {"sasl.jaas.config": f'{OAUTH} required clientid="x" clientSecret="s3cret";'},
            "clientid of sasl.jaas.config is unknown (did you mean clientId?)",
        ),
        (
            {
                "sasl.jaas.config": f'{OAUTH} required clientId="x" clientSecret="s3cret" '
                'ssl.truststore.location="/x";'
            },
            "ssl.truststore.location of sasl.jaas.config cannot be translated: add "
            "https.ca.location",
        ),
        (
            {"sasl.oauthbearer.assertion.file": "/x"},
            "instead of a secret does not exist in librdkafka",
        ),
        ({"sasl.oauthbearer.jwt.retriever.class": "x.Y"}, "jwt.retriever.class is Java code"),
        ({"sasl.login.callback.handler.class": "x.Y"}, "handler.class is Java code: where the"),
        (
            {
                "sasl.login.callback.handler.class": STRIMZI_HANDLER,
                "sasl.jaas.config": f'{OAUTH} required oauth.access.token="s3cret";',
            },
            "oauth.access.token of sasl.jaas.config cannot be translated",
        ),
        (
            {
                "sasl.login.callback.handler.class": STRIMZI_HANDLER,
                "sasl.jaas.config": f'{OAUTH} required oauth.tokens.not.jwt="true";',
            },
            "oauth.tokens.not.jwt of sasl.jaas.config cannot be translated",
        ),
        ({"sasl.jaas.config": f"{SCRAM} required;"}, "with ScramLoginModule cannot be translated"),
    ],
)
def test_tokens_that_librdkafka_cannot_buy(changed: dict[str, str], says: str) -> None:
    """What of Java's and Strimzi's ways to a token is not librdkafka's is told by name."""
    assert says in problem({**WITH_TOKEN, **changed})


def test_the_issuers_authority_is_librdkafkas_https(tmp_path: Path) -> None:
    """Whoever says https.ca.location needs not take Java's words for it out."""
    (tmp_path / "ca.pem").touch()
    jaas = f'{OAUTH} required clientId="x" clientSecret="s3cret" ssl.truststore.location="/x";'

    found = became(
        {**WITH_TOKEN, "sasl.jaas.config": jaas, "https.ca.location": str(tmp_path / "ca.pem")}
    )

    assert found.left_out == ("ssl.truststore.location of sasl.jaas.config",)


def test_kerberos_where_librdkafka_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key table and a principal are taken out of JAAS; without a key table a ticket is there."""
    monkeypatch.setattr(
        client_credentials, "librdkafka_defaults", lambda: {"builtin.features": "ssl,sasl_gssapi"}
    )
    common = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.kerberos.service.name": "kafka",
        "sasl.kerberos.kinit.cmd": "/usr/bin/kinit",
    }
    with_key = became(
        {
            **common,
            "sasl.jaas.config": f"{KERBEROS} required useKeyTab=true storeKey=true "
            'keyTab="/etc/lab.keytab" principal="lab@EXAMPLE.COM";',
        }
    )
    with_ticket = became(
        {**common, "sasl.jaas.config": f"{KERBEROS} required useTicketCache=true;"}
    )

    assert with_key.librdkafka["sasl.mechanism"] == "GSSAPI", "Java's default"
    assert with_key.librdkafka["sasl.kerberos.keytab"] == "/etc/lab.keytab"
    assert with_key.librdkafka["sasl.kerberos.principal"] == "lab@EXAMPLE.COM"
    assert with_key.left_out == ("sasl.kerberos.kinit.cmd", "storeKey of sasl.jaas.config")
    assert with_ticket.librdkafka["sasl.kerberos.min.time.before.relogin"] == "0"
    assert "ticketCache of sasl.jaas.config cannot be translated" in problem(
        {**common, "sasl.jaas.config": f'{KERBEROS} required ticketCache="/tmp/x";'}
    )


# Names


def test_librdkafkas_own_names_pass(tmp_path: Path) -> None:
    """Who writes librdkafka's names for the connection may do so, those without a default too."""
    (tmp_path / "ca.pem").touch()
    found = translated(
        security_protocol="sasl_ssl",
        sasl_mechanisms="PLAIN",
        sasl_username="alice",
        sasl_password="s3cret",
        ssl_ca_location=str(tmp_path / "ca.pem"),
        ssl_providers="default",
        ssl_curves_list="P-256",
        socket_keepalive_enable="true",
        broker_address_family="v4",
    )

    assert found["sasl.username"] == "alice"
    assert found["ssl.ca.location"] == str(tmp_path / "ca.pem")
    assert found["ssl.providers"] == "default"
    assert found["ssl.curves.list"] == "P-256"
    assert found["socket.keepalive.enable"] == "true"
    assert found["broker.address.family"] == "v4"


def test_metadata_broker_list_is_where_the_cluster_is() -> None:
    """librdkafka's name for bootstrap.servers counts where Java's is not there."""
    assert translate(b"metadata.broker.list=a:1", "", "").librdkafka["bootstrap.servers"] == "a:1"
    both = translate(b"metadata.broker.list=a:1\nbootstrap.servers=b:2", "", "")
    assert both.librdkafka["bootstrap.servers"] == "b:2"
    assert both.left_out == ("metadata.broker.list",)


FOREIGN = (
    *("schema.registry.url", "basic.auth.user.info", "basic.auth.credentials.source"),
    *("zookeeper.connect", "zookeeper.session.timeout.ms", "ssl.client.auth", "ssl.keystore.alias"),
    *("sasl.enabled.mechanisms", "sasl.mechanism.inter.broker.protocol", "log.dirs"),
    *("sasl.kerberos.principal.to.local.rules", "ssl.principal.mapping.rules", "message.max.bytes"),
    *("admin.ssl.keystore.certificate.chain", "producer.bootstrap.servers", "max.connections"),
    *("kafka.ssl.truststore.location", "confluent.license", "auto.register.schemas"),
    *("spring.kafka.properties.sasl.mechanism", "metadata.fetch.timeout.ms", "ssl.context.name"),
    *("metadata.max.idle.interval.ms", "queued.max.requests", "sasl.server.callback.handler.class"),
)


@pytest.mark.parametrize("name", FOREIGN)
def test_what_java_does_not_know_is_left_out_and_told(name: str) -> None:
    """As Java does; the header names it."""
    assert became({name: "x"}).left_out == (name,)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("sasl.mechanismn=PLAIN", "sasl.mechanismn is unknown (did you mean sasl.mechanism?)"),
        ("sasl.mechansim: PLAIN", "sasl.mechansim is unknown (did you mean sasl.mechanism?)"),
        ("ssl.trustore.location=x", "did you mean ssl.truststore.location?"),
        ("ssl.keystore.passwrod=x", "did you mean ssl.keystore.password?"),
        ("security.protocl=SSL", "did you mean security.protocol?"),
        ("SECURITY_PROTOCOL=SSL", "line 2 is unknown (did you mean security.protocol?)"),
        ("Security.Protocol=SSL", "line 2 is unknown (did you mean security.protocol?)"),
        ("sasl.mechansim PLAIN", "line 2 is unknown (did you mean sasl.mechanism?)"),
    ],
)
def test_a_slip_of_the_finger_is_refused(line: str, says: str) -> None:
    """What is nearly a known name was meant to have an effect."""
    assert says in problem(f"# a comment\n{line}\n".encode())


def test_bootstrap_server_matters_only_where_nothing_else_says_it() -> None:
    """It is the option of Java's tools, not a property; Java leaves it out."""
    assert "did you mean bootstrap.servers?" in problem(b"bootstrap-server=a:1", "")
    assert translate(b"bootstrap-server=a:1", ANYWHERE, "").left_out == ("line 1",)
    assert translate(b"bootstrap-server=a:1\nbootstrap.servers=b:2", "", "").left_out == ("line 1",)


@pytest.mark.parametrize(
    "line",
    [
        'username="alice"',
        'password="s3cret";',
        'oauth.client.secret "s3cret"',
        "MIIBpjCCAS2gAwIBAgIJANUOmZGJEC7aMAoGCCqGSM49BAMDMCExHzAdBgNVBAM=",
        "-----BEGIN PRIVATE KEY-----",
        "s3cret",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJsYWIifQ.=",
        "10.0.0.1:9092",
        "a" * 50 + ".b=x",
    ],
)
def test_lines_that_may_be_secrets_are_told_by_number(line: str) -> None:
    """A name is shown only if it is written as properties are, before a separator."""
    lines = f"client.id=x\n{line}\n{line}x\n\n{line}".encode()

    assert translate(lines, ANYWHERE, "").left_out == ("lines 2 to 3", "line 5")


def test_numbers_of_lines_are_put_together() -> None:
    """A key of 30 lines is not told in 30 words."""
    assert in_ranges([9, 3, 4, 5, 5, 11]) == ["lines 3 to 5", "line 9", "line 11"]
    assert in_ranges([]) == []


def test_what_lessons_set_themselves_is_left_out_and_told() -> None:
    """A file for an application has more in it; that has no effect, and the header says so."""
    found = became(
        {"acks": "0", "key.serializer": "X", "queue.buffering.max.ms": "500", "debug": "all"}
    )

    assert found.left_out == ("acks", "debug", "key.serializer", "queue.buffering.max.ms")
    assert set(found.librdkafka) == {"bootstrap.servers", "security.protocol"}


@pytest.mark.parametrize("name", ["request.timeout.ms", "socket.timeout.ms"])
def test_timeouts_of_requests_are_left_to_lessons(name: str) -> None:
    """librdkafka takes no transaction with a timeout below it, and a lesson has one of a second."""
    assert became({name: "30000"}).left_out == (name,)


LEFTOVERS = {
    "sasl.mechanism": "PLAIN",
    "sasl.jaas.config": "s3cret",
    "sasl.login.class": "x.Y",
    "ssl.truststore.location": "/no/such.jks",
    "ssl.protocol": "TLSv1.3",
    "ssl.engine.factory.class": "x.Y",
}


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL", "SASL_PLAINTEXT"])
def test_leftovers_of_another_protocol_have_no_effect(protocol: str) -> None:
    """As in Java: what is of SASL without SASL, and of TLS without TLS, is named as left out."""
    families = [each for each in ("SASL", "SSL") if each not in protocol]
    rest = {
        k: v for k, v in LEFTOVERS.items() if k.startswith(tuple(f"{f.lower()}." for f in families))
    }
    login = {
        "sasl.mechanism": "PLAIN",
        "sasl.username": "alice",
        "sasl.password": "s3cret",
        "sasl.kerberos.service.name": "kafka",
        "sasl.oauthbearer.token.endpoint.url": "https://issuer.example/token",
        "https.ca.location": "/no/such.pem",
    }
    used = login if "SASL" in protocol else {}

    found = became({"security.protocol": protocol, **rest, **used})

    idle = [key for key in used if key.startswith(("sasl.kerberos", "sasl.oauth", "https."))]
    assert found.left_out == tuple(sorted([*rest, *idle]))
    assert not [key for key in found.librdkafka if key in rest]


def test_bootstrap_servers_may_be_in_the_file() -> None:
    """The file may say where the cluster is; the same said twice is fine."""
    in_file = b"bootstrap.servers=PLAINTEXT://b:2, a:1"

    assert translate(in_file, "", "").librdkafka["bootstrap.servers"] == "a:1,b:2"
    assert translate(in_file, "a:1,b:2", "").librdkafka["bootstrap.servers"] == "a:1,b:2"
    with pytest.raises(NoBootstrap, match="--kafkalab-bootstrap"):
        translate(b"", "", "")


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"security.protocol": "SASL"}, "security.protocol (line 1) is none of PLAINTEXT, SSL, "),
        (
            {"security.protocol": "SASL_SSL"},
            "sasl.mechanism is missing, and by default it is GSSAPI",
        ),
        (
            {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"},
            "PLAIN needs a username and a password",
        ),
        ({**WITH_SCRAM, "sasl.mechanism": "s3cret"}, "sasl.mechanism is none of librdkafka's"),
        ({**WITH_SCRAM, "sasl.password": "x"}, "sasl.jaas.config contradicts sasl.password"),
        ({**WITH_SCRAM, "sasl.mechanisms": "PLAIN"}, "sasl.mechanism contradicts sasl.mechanisms"),
        ({**WITH_SCRAM, "sasl.jaas.config": "s3cret"}, "has no `required` after its login module"),
        (
            {**WITH_SCRAM, "sasl.jaas.config": "com.sun.Krb5LoginModule required;"},
            "sasl.jaas.config with Krb5LoginModule cannot be translated: for SCRAM-SHA-512 say",
        ),
        (
            {**WITH_SCRAM, "sasl.jaas.config": "s3cret required;"},
            "sasl.jaas.config with a login module that is not a class name",
        ),
        (
            {
                **WITH_SCRAM,
                "sasl.jaas.config": f'{SCRAM} required username="s3cret" password="\\0";',
            },
            "sasl.password has a character that librdkafka does not accept",
        ),
        ({"sasl.login.class": "x", **WITH_SCRAM}, "sasl.login.class cannot be translated"),
        (
            {"sasl.login.callback.handler.class": "x", **WITH_SCRAM},
            "sasl.login.callback.handler.class cannot be translated: it is Java code",
        ),
        ({"config.providers": "file"}, "config.providers cannot be translated: write the values"),
        ({"bootstrap.controllers": "a:1"}, "lessons talk to brokers, so say bootstrap.servers"),
        ({"bootstrap.servers": "elsewhere:9092"}, "is not what --kafkalab-bootstrap says"),
        ({"bootstrap.servers": "a:9092 s3cret"}, "bootstrap.servers is not a list of host:port"),
        (
            {"security.protocol": "SSL", "ssl.truststore.location": "/no/such.pem"},
            "ssl.truststore.location: /no/such.pem cannot be read (No such file or directory)",
        ),
        (
            {"security.protocol": "SSL", "ssl.ca.location": "/no/such.pem"},
            "ssl.ca.location: /no/such.pem cannot be read (No such file or directory)",
        ),
        (
            {"security.protocol": "SSL", "ssl.endpoint.identification.algorithm": "LDAPS"},
            "ssl.endpoint.identification.algorithm (line 2) is none of none, https",
        ),
        (
            {"client.id": "lab ssl.keystore.password=s3cret"},
            "client.id (line 1) has ssl.keystore.password in its value: the end of a line is",
        ),
        ({"client.dns.lookup": "default"}, "client.dns.lookup (line 1) is none of use_all_dns_ips"),
        ({"retry.backoff.ms": "100 # ms"}, "retry.backoff.ms (line 1) is not a whole number"),
        ({"client.rack": "\ud800"}, "client.rack has a character that librdkafka does not accept"),
    ],
)
def test_what_cannot_be_taken_is_named(properties: dict[str, str], says: str) -> None:
    """Contradictory and untranslatable properties are each named in one line."""
    assert says in problem(properties)


def test_all_problems_are_told_at_once() -> None:
    """Who corrects a file wants to know all that is wrong with it."""
    text = problem(
        {"ssl.trustore.type": "1", "ssl.engine.factory.class": "x", "security.protocol": "SASL_SSL"}
    )

    assert "did you mean ssl.truststore.type?" in text
    assert "ssl.engine.factory.class cannot be translated" in text
    assert "sasl.mechanism is missing" in text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\n\nsasl.password=s3cret\\u12\n", "line 3 has \\u without four hexadecimal digits"),
        (b"\xef\xbb\xbf# a comment\nclient.id=a\n", "line 1 begins with a byte order mark"),
        ("client.id=a\n".encode("utf-16-le"), "it is in UTF-16"),
        (b"x" * 2_000_000, "it is too large for a properties file"),
    ],
)
def test_a_file_that_java_does_not_read_well(data: bytes, says: str) -> None:
    """What is wrong is told with its line, and without what stands there."""
    assert says in problem(data)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """It is named with the reason."""
    with pytest.raises(BadClientProperties, match="No such file"):
        read_client_properties(tmp_path / "missing", ANYWHERE)
    with pytest.raises(BadClientProperties, match="Is a directory"):
        read_client_properties(tmp_path, ANYWHERE)


def test_a_wrong_file_is_no_hang() -> None:
    """A log in place of the properties file is told in seconds, though each line is no property."""
    data = b"\n".join(b"word%d another=x" % number for number in range(40_000))

    assert translate(data, ANYWHERE, "").left_out == ("lines 1 to 40000",)


def test_a_name_is_near_another() -> None:
    """Two slips are near, another family's name is not."""
    known = ("sasl.mechanism", "ssl.keystore.location", "bootstrap.servers")

    assert nearest("sasl.mecahnism", known) == "sasl.mechanism"
    assert nearest("BOOTSTRAP_SERVERS", known) == "bootstrap.servers"
    assert nearest("ssl.keystore.certificate.chain", known) == ""
    assert nearest("admin.bootstrap.servers", known) == ""


# Keys and certificates


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a key and its certificate in stores of each kind; the password is s3cret.

    Their names tell nothing of what they are.
    """
    folder = tmp_path_factory.mktemp("stores")
    for kind in ("PKCS12", "JKS", "JCEKS"):
        key, trust = folder / f"{kind}-key", folder / f"{kind}-trust"
        keytool(key, "-genkeypair", "-keyalg", "EC", "-dname", "CN=lab", "-storetype", kind)
        keytool(key, "-exportcert", "-rfc", "-file", str(folder / f"{kind}.certificate"))
        keytool(
            *(trust, "-importcert", "-noprompt", "-file", str(folder / f"{kind}.certificate")),
            *("-storetype", kind),
        )
    shutil.copy(folder / "JKS.certificate", folder / "PEM-trust")
    keytool(folder / "JKS-key", "-exportcert", "-file", str(folder / "DER-trust"))
    (folder / "no-store").write_bytes(b"neither this nor that")
    return folder


def keytool(store: Path, *arguments: str) -> None:
    """Java's keytool, on a store."""
    tool = str(find_java().executable.with_name("keytool"))
    command = [tool, *arguments, "-keystore", str(store), "-storepass", "s3cret", "-alias", "lab"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", ["PKCS12", "JKS", "JCEKS", "PEM", "DER"])
def test_a_store_is_what_its_first_bytes_say(stores: Path, kind: str) -> None:
    """Not what its name ends with."""
    assert kind_of(stores / f"{kind}-trust") == kind
    assert kind_of(stores / "no-store") == ""


def run_remedy(text: str, folder: Path) -> None:
    """Run the command that a message offers, as a person would: the password is asked for."""
    environment = {**os.environ, "PATH": f"{find_java().executable.parent}:{os.environ['PATH']}"}
    subprocess.run(
        ["sh", "-c", text.split("`")[1]],
        cwd=folder,
        check=True,
        input="s3cret\n" * 3,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("declared", [None, "JKS", "PKCS12"])
@pytest.mark.parametrize("kind", ["PKCS12", "JKS", "JCEKS", "DER"])
def test_a_truststore_comes_with_the_command_that_helps(
    stores: Path, tmp_path: Path, kind: str, declared: str | None
) -> None:
    """Run it, add what it says, and librdkafka takes the file; Java's lines stay in it."""
    java = {
        "security.protocol": "SSL",
        "ssl.truststore.location": str(stores / f"{kind}-trust"),
        "ssl.truststore.password": "s3cret",
        **({"ssl.truststore.type": declared} if declared else {}),
    }

    text = problem(java)
    run_remedy(text, tmp_path)
    assert "and add ssl.ca.location=ca.pem" in text
    found = became({**java, "ssl.ca.location": str(tmp_path / "ca.pem")})

    assert f"librdkafka cannot read a {kind} truststore" in text
    assert found.left_out == ("ssl.truststore.location", "ssl.truststore.password")
    AdminClient({**found.librdkafka, "log_level": 0})


@pytest.mark.parametrize("kind", ["JKS", "JCEKS"])
def test_a_keystore_comes_with_the_command_that_helps(
    stores: Path, tmp_path: Path, kind: str
) -> None:
    """Run it, say what it says, and librdkafka takes the file."""
    java = {
        "security.protocol": "SSL",
        "ssl.keystore.location": str(stores / f"{kind}-key"),
        "ssl.keystore.password": "s3cret",
    }

    text = problem(java)
    run_remedy(text, tmp_path)
    found = became({**java, "ssl.keystore.location": str(tmp_path / "key.p12")})

    assert "then say ssl.keystore.type=PKCS12 and ssl.keystore.location=key.p12" in text
    AdminClient({**found.librdkafka, "log_level": 0})


@pytest.mark.parametrize("declared", ["", "JKS", "PKCS12", "pkcs12"])
def test_a_pkcs12_keystore_is_taken_whatever_java_calls_it(stores: Path, declared: str) -> None:
    """Java's types JKS and PKCS12 read both kinds."""
    found = translated(
        security_protocol="SSL",
        ssl_keystore_location=str(stores / "PKCS12-key"),
        ssl_keystore_password="s3cret",
        ssl_key_password="s3cret",
        **({"ssl_keystore_type": declared} if declared else {}),
    )

    assert found["ssl.keystore.location"] == str(stores / "PKCS12-key")
    assert found["ssl.keystore.password"] == "s3cret"
    AdminClient({**found, "log_level": 0})


@pytest.mark.parametrize("declared", [None, "PEM"])
def test_a_pem_truststore_is_a_ca_file(stores: Path, declared: str | None) -> None:
    """librdkafka reads a PEM truststore; no host name check is Java's empty value."""
    found = translated(
        security_protocol="SSL",
        ssl_truststore_location=str(stores / "PEM-trust"),
        ssl_endpoint_identification_algorithm="",
        **({"ssl_truststore_type": declared} if declared else {}),
    )

    assert found["ssl.ca.location"] == str(stores / "PEM-trust")
    assert found["ssl.endpoint.identification.algorithm"] == "none"
    assert "ssl.truststore.location" not in found
    AdminClient({**found, "log_level": 0})


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"location": "JKS-trust", "type": "PEM"}, "the file is JKS, and ssl.truststore.type does"),
        ({"location": "PEM-trust", "type": "JKS"}, "the file is PEM, and ssl.truststore.type does"),
        ({"location": "no-store"}, "the file is not a store: neither PEM, JKS nor PKCS12"),
    ],
)
def test_a_store_that_contradicts_its_type(
    stores: Path, changed: dict[str, str], says: str
) -> None:
    """Java does not take it either."""
    properties = {f"ssl.truststore.{key}": value for key, value in changed.items()}
    properties["ssl.truststore.location"] = str(stores / changed["location"])

    assert says in problem({"security.protocol": "SSL", **properties})


@pytest.fixture(scope="session")
def pem(stores: Path) -> str:
    """A key in PEM, its certificate behind it."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    command = ["openssl", "pkcs12", "-nodes", "-in", str(stores / "PKCS12-key")]
    return subprocess.run(
        [*command, "-passin", "pass:s3cret"], check=True, capture_output=True, text=True
    ).stdout


def blanks(text: str) -> str:
    return " ".join(text.split())


def nothing(text: str) -> str:
    return text.replace("\n", "")


def windows(text: str) -> str:
    return text.replace("\n", "\r\n")


@pytest.mark.parametrize("written", [str, blanks, nothing, windows])
def test_pem_in_properties(pem: str, written: Any) -> None:
    """Keys and certificates stand there with line ends, or with blanks as Java takes them too."""
    key, begin, chain = pem.partition("-----BEGIN CERTIFICATE-----")
    found = translated(
        security_protocol="SSL",
        ssl_truststore_type="PEM",
        ssl_truststore_certificates=written(begin + chain),
        ssl_keystore_type="PEM",
        ssl_keystore_key=written(key),
        ssl_keystore_certificate_chain=written(begin + chain),
    )

    assert (
        found["ssl.ca.pem"] == found["ssl.certificate.pem"] == as_pem(begin + chain, "CERTIFICATE")
    )
    assert isinstance(found["ssl.key.pem"], Secret)
    AdminClient({**found, "log_level": 0})


def test_pem_in_a_file(pem: str, tmp_path: Path) -> None:
    """One file with the key and its certificate (KIP-651), whatever stands around them."""
    (tmp_path / "key").write_text(f"Bag Attributes\n{pem}", "utf-8")
    ssl = {
        "security.protocol": "SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(tmp_path / "key"),
    }

    found = became({**ssl, "ssl.key.password": "s3cret"}).librdkafka

    assert found["ssl.key.location"] == found["ssl.certificate.location"] == str(tmp_path / "key")
    assert found["ssl.key.password"] == "s3cret"
    assert "say ssl.key.password" in problem({**ssl, "ssl.keystore.password": "s3cret"})


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"ssl.keystore.key": "-----BEGIN PRIVATE KEY-----"}, "(line 2) has no whole PRIVATE KEY"),
        ({"ssl.keystore.key": "s3cret"}, "ssl.keystore.key (line 2) has no whole PRIVATE KEY"),
        ({"ssl.truststore.certificates": ""}, "(line 2) has no whole CERTIFICATE in PEM"),
        (
            {"ssl.truststore.certificates": "x", "ssl.truststore.type": "JKS"},
            "ssl.truststore.certificates needs ssl.truststore.type=PEM",
        ),
        ({"ssl.keystore.key": "x"}, "must both be given"),
    ],
)
def test_pem_that_is_not_whole(changed: dict[str, str], says: str) -> None:
    """Lines that no backslash joins end a value early; nothing of it is shown."""
    assert says in problem({"security.protocol": "SSL", **changed})


def test_ciphers_by_javas_names() -> None:
    """OpenSSL takes Java's names for TLS 1.2; all suites of TLS 1.3 are on anyway."""
    ssl = {"security.protocol": "SSL"}
    both = "TLS_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"

    found = became({**ssl, "ssl.cipher.suites": both})
    new = became({**ssl, "ssl.cipher.suites": "TLS_AES_256_GCM_SHA384"})

    assert found.librdkafka["ssl.cipher.suites"] == both
    AdminClient({**found.librdkafka, "log_level": 0})
    assert new.left_out == ("ssl.cipher.suites",)


# Secrets


def test_secrets_do_not_show() -> None:
    """Where properties are printed, as in a traceback, secrets are not; clients get them."""
    found = became(WITH_SCRAM)
    merged = {**found.librdkafka, "group.id": "g"}

    assert "s3cret" not in f"{found} {found!r} {merged} {merged!r} {ClientProperties(merged)}"
    assert isinstance(merged["sasl.password"], Secret)
    assert str(merged["sasl.password"]) == "s3cret"
    assert found.hide_secrets("bad value s3cret") == "bad value ***"
    short = ClientProperties({"sasl.password": Secret("p")})
    assert short.hide_secrets("sasl_plain://up: p, 'p'") == "sasl_plain://up: ***, '***'"


def test_values_of_several_lines_do_not_show() -> None:
    """More may be in them than their names say."""
    found = translate(b"client.id=a\\\n  s3cret\n", ANYWHERE, "")

    assert isinstance(found.librdkafka["client.id"], Secret)


# What is known


def test_every_property_of_javas_clients_is_known() -> None:
    """No property of Kafka's own Java clients is called unknown."""
    distribution = Distribution(CACHE, find_java())
    classes = ("producer.ProducerConfig", "consumer.ConsumerConfig", "admin.AdminClientConfig")
    java = {
        key
        for each in classes
        for key in java_defaults(distribution, f"org.apache.kafka.clients.{each}")
    }

    assert len(java) > 100, "so many there are"
    assert java - KNOWN - set(librdkafka_ranges()) == set()


def test_the_library_tells_all_its_names() -> None:
    """Those without a default too, and which values each takes; not what only code can set."""
    ranges = librdkafka_ranges()
    with_default = {name for name in librdkafka_defaults() if CONNECTION.match(name)}

    assert len(with_default) > 20, "so many there are"
    assert with_default - set(ranges) == set()
    assert ranges["metadata.broker.list"] == ranges["https.ca.location"] == ""
    assert ranges["retry.backoff.ms"] == "1 .. 300000"
    assert "none" in ranges["ssl.endpoint.identification.algorithm"].split(", ")
    assert {"ssl.certificate.verify_cb", "error_cb", "opaque"} & set(ranges) == set()
