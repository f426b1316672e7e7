"""A Java client's properties file becomes librdkafka's properties, or a line that says why not."""

from __future__ import annotations

from pathlib import Path

import javaproperties
import pytest
from confluent_kafka.admin import AdminClient
from hypothesis import given
from hypothesis import strategies as st

from kafkalab.brokers.client_properties import (
    JAVA_BLANKS,
    LEFT_OUT,
    PASSED,
    RENAMED,
    TRANSLATED,
    UNTRANSLATABLE,
    UNTRANSLATABLE_PREFIX,
    ClientProperties,
    Secret,
    read_client_properties,
    translate,
)
from kafkalab.brokers.distribution import Distribution, find_java
from kafkalab.brokers.errors import BadClientProperties, NoBootstrap
from kafkalab.config import Settings
from kafkalab.observe.defaults import java_defaults

CACHE = Settings.from_environment().cache

SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
ANYWHERE = "127.0.0.1:9092"

WITH_SCRAM = {
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.jaas.config": f'{SCRAM} required username="alice" password="s3cret";',
}


def translated(**given: str) -> dict[str, str]:
    """Properties by Java's names, with `_` for `.`, translated."""
    properties = {key.replace("_", "."): value for key, value in given.items()}
    return dict(translate(properties, ANYWHERE, "the file").librdkafka)


def problem(properties: dict[str, str], bootstrap: str = ANYWHERE) -> str:
    """The line that says why these properties are not taken."""
    with pytest.raises(BadClientProperties) as told:
        translate(properties, bootstrap, "the file")
    text = str(told.value)
    assert "\n" not in text, "it is one line"
    return text


def test_scram_credentials_come_out_of_jaas() -> None:
    """What Java's login module is configured with becomes sasl.username and sasl.password."""
    found = dict(translate(WITH_SCRAM, ANYWHERE, "the file").librdkafka)

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
    """Quotes, blanks, semicolons, equal signs and backslashes in credentials are kept."""

    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    jaas = f"{PLAIN} required\n  username={quoted(user)}\n  password={quoted(password)};"

    found = translated(
        security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", sasl_jaas_config=jaas
    )

    assert (found["sasl.username"], found["sasl.password"]) == (user, password)


@given(
    st.dictionaries(
        st.sampled_from(["client.id", "client.rack", "client.dns.lookup"]),
        st.text(st.characters(codec="utf-8", exclude_categories=["Cs"])),
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


def test_a_pem_truststore_is_a_ca_file(tmp_path: Path) -> None:
    """librdkafka reads a PEM truststore; no host name check is Java's empty value."""
    (tmp_path / "ca.pem").touch()

    found = translated(
        security_protocol="SSL",
        ssl_truststore_type="PEM",
        ssl_truststore_location=str(tmp_path / "ca.pem"),
        ssl_endpoint_identification_algorithm="",
    )

    assert found["ssl.ca.location"] == str(tmp_path / "ca.pem")
    assert found["ssl.endpoint.identification.algorithm"] == "none"
    assert "ssl.truststore.location" not in found


def test_keystores_and_inline_pem(tmp_path: Path) -> None:
    """A PKCS12 keystore is taken as it is, a PEM one as key and certificate, and PEM texts too."""
    (tmp_path / "key.p12").touch()
    (tmp_path / "key.pem").touch()
    ssl = {"security_protocol": "SSL"}

    pkcs12 = translated(
        **ssl, ssl_keystore_location=str(tmp_path / "key.p12"), ssl_keystore_password="pw"
    )
    pem = translated(**ssl, ssl_keystore_location=str(tmp_path / "key.pem"), ssl_key_password="pw")
    inline = translated(**ssl, ssl_truststore_certificates="CERT", ssl_keystore_key="KEY")

    assert pkcs12["ssl.keystore.location"] == str(tmp_path / "key.p12")
    assert pkcs12["ssl.keystore.password"] == "pw"
    assert pem["ssl.key.location"] == pem["ssl.certificate.location"] == str(tmp_path / "key.pem")
    assert pem["ssl.key.password"] == "pw"
    assert (inline["ssl.ca.pem"], inline["ssl.key.pem"]) == ("CERT", "KEY")


def test_request_timeout_is_librdkafkas_socket_timeout() -> None:
    """Two clients call two things request.timeout.ms: Java's is translated, not passed."""
    found = translated(request_timeout_ms="5000")

    assert found["socket.timeout.ms"] == "5000"
    assert "request.timeout.ms" not in found


def test_librdkafkas_own_names_pass() -> None:
    """Who writes librdkafka's names for the connection may do so."""
    found = translated(
        security_protocol="sasl_ssl",
        sasl_mechanisms="PLAIN",
        sasl_username="alice",
        sasl_password="s3cret",
        ssl_ca_location="/etc/ssl/ca.pem",
    )

    assert found["sasl.username"] == "alice"
    assert found["ssl.ca.location"] == "/etc/ssl/ca.pem"


def test_what_lessons_set_themselves_is_left_out_and_told() -> None:
    """A file for an application has more in it; that has no effect, and the header says so."""
    found = translate(
        {"acks": "0", "key.serializer": "X", "queue.buffering.max.ms": "500"}, ANYWHERE, "the file"
    )

    assert found.left_out == ("acks", "key.serializer", "queue.buffering.max.ms")
    assert set(found.librdkafka) == {"bootstrap.servers", "security.protocol"}


def test_bootstrap_servers_may_be_in_the_file() -> None:
    """The file may say where the cluster is; the same said twice is fine."""
    in_file = {"bootstrap.servers": "b:2, a:1"}

    assert translate(in_file, "", "").librdkafka["bootstrap.servers"] == "a:1,b:2"
    assert translate(in_file, "a:1,b:2", "").librdkafka["bootstrap.servers"] == "a:1,b:2"
    with pytest.raises(NoBootstrap, match="--kafkalab-bootstrap"):
        translate({}, "", "")


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"sasl.mechanismn": "PLAIN"}, "sasl.mechanismn is unknown (did you mean sasl.mechanism?)"),
        ({"no.such.thing": "1"}, "no.such.thing is unknown"),
        ({"security.protocol": "SASL"}, "security.protocol=SASL does not exist: use one of"),
        ({"sasl.username": "a"}, "sasl.username contradict security.protocol=PLAINTEXT"),
        ({"ssl.protocol": "TLS"}, "ssl.protocol contradict security.protocol=PLAINTEXT"),
        ({"security.protocol": "SASL_SSL"}, "sasl.mechanism is missing"),
        (
            {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"},
            "PLAIN needs a username and a password",
        ),
        (
            {**WITH_SCRAM, "sasl.mechanism": "PLAIN"},
            "sasl.jaas.config with ScramLoginModule contradicts PLAIN",
        ),
        ({**WITH_SCRAM, "sasl.password": "x"}, "sasl.jaas.config contradicts sasl.password"),
        ({**WITH_SCRAM, "sasl.mechanisms": "PLAIN"}, "sasl.mechanism contradicts sasl.mechanisms"),
        ({**WITH_SCRAM, "sasl.jaas.config": "s3cret"}, "sasl.jaas.config is not of the form"),
        (
            {**WITH_SCRAM, "sasl.jaas.config": "com.sun.Krb5LoginModule required;"},
            "sasl.jaas.config with Krb5LoginModule cannot be translated",
        ),
        ({"sasl.login.class": "x", **WITH_SCRAM}, "sasl.login.class cannot be translated"),
        (
            {"sasl.oauthbearer.jwks.endpoint.url": "x", **WITH_SCRAM},
            "sasl.oauthbearer.jwks.endpoint.url cannot be translated: use librdkafka's",
        ),
        ({"bootstrap.servers": "elsewhere:9092"}, "is not what --kafkalab-bootstrap says"),
        (
            {"security.protocol": "SSL", "ssl.truststore.location": "/no/such.pem"},
            "ssl.truststore.location: there is no file /no/such.pem",
        ),
    ],
)
def test_what_cannot_be_taken_is_named(properties: dict[str, str], says: str) -> None:
    """Unknown, contradictory and untranslatable keys are each named in one line."""
    text = problem(properties)

    assert says in text
    assert "s3cret" not in text


@pytest.mark.parametrize(
    ("name", "store", "command"),
    [
        ("trust.jks", "truststore", "keytool -exportcert -rfc -keystore"),
        ("trust.p12", "truststore", "openssl pkcs12 -in"),
        ("key.jks", "keystore", "keytool -importkeystore -srckeystore"),
    ],
)
def test_stores_that_librdkafka_cannot_read_come_with_the_command(
    tmp_path: Path, name: str, store: str, command: str
) -> None:
    """A store of the wrong kind is named, with the command that makes the right one of it."""
    (tmp_path / name).touch()

    text = problem({"security.protocol": "SSL", f"ssl.{store}.location": str(tmp_path / name)})

    assert f"{command} {tmp_path / name}" in text


def test_all_problems_are_told_at_once() -> None:
    """Who corrects a file wants to know all that is wrong with it."""
    text = problem({"nonsense": "1", "ssl.provider": "x", "security.protocol": "SASL_SSL"})

    assert "nonsense is unknown" in text
    assert "ssl.provider cannot be translated" in text
    assert "sasl.mechanism is missing" in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("client.id=a\nclient.id=b\n", "client.id is there twice, with different values"),
        ("client.id=\\u12\n", "a broken escape"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, text: str, says: str) -> None:
    """A file that is no properties file is named with what is wrong."""
    path = tmp_path / "client.properties"
    path.write_text(text, "utf-8")

    with pytest.raises(BadClientProperties, match=says):
        read_client_properties(path, ANYWHERE)
    with pytest.raises(BadClientProperties, match="No such file"):
        read_client_properties(tmp_path / "missing", ANYWHERE)


def test_secrets_do_not_show() -> None:
    """Where properties are printed, as in a traceback, secrets are not; clients get them."""
    found = translate(WITH_SCRAM, ANYWHERE, "the file")
    merged = {**found.librdkafka, "group.id": "g"}

    assert "s3cret" not in f"{found} {found!r} {merged} {merged!r} {ClientProperties(merged)}"
    assert isinstance(merged["sasl.password"], Secret)
    assert str(merged["sasl.password"]) == "s3cret"
    assert found.hide_secrets("bad value s3cret") == "bad value ***"


def test_every_property_of_javas_clients_is_known() -> None:
    """No property of Kafka's own Java clients is called unknown."""
    distribution = Distribution(CACHE, find_java())
    known = {*TRANSLATED, *PASSED, *RENAMED, *LEFT_OUT, *UNTRANSLATABLE}
    classes = ("producer.ProducerConfig", "consumer.ConsumerConfig", "admin.AdminClientConfig")
    java = {
        key
        for each in classes
        for key in java_defaults(distribution, f"org.apache.kafka.clients.{each}")
    }

    unknown = {key for key in java - known if not key.startswith(UNTRANSLATABLE_PREFIX)}

    assert len(java) > 100, "so many there are"
    assert not unknown
