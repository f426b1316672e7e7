"""A Java client's properties file, translated to librdkafka's names.

Only what makes the connection is taken: what lessons are about (acks, groups,
fetching ...) they set themselves. Sources of the names: Apache Kafka's client
configuration documentation, and librdkafka's CONFIGURATION.md.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import javaproperties

from kafkalab.brokers.errors import BadClientProperties, NoBootstrap
from kafkalab.observe.defaults import librdkafka_defaults

SASL_PROTOCOLS = ("SASL_PLAINTEXT", "SASL_SSL")
SSL_PROTOCOLS = ("SSL", "SASL_SSL")
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")

LOGIN_MODULES: Mapping[str, str] = {
    "PLAIN": "PlainLoginModule",
    "SCRAM-SHA-256": "ScramLoginModule",
    "SCRAM-SHA-512": "ScramLoginModule",
}
"""for each mechanism whose credentials can be translated the Java class that holds them"""

RENAMED: Mapping[str, str] = {
    # librdkafka's own request.timeout.ms is how long a broker may wait for its replicas.
    "request.timeout.ms": "socket.timeout.ms",
    "send.buffer.bytes": "socket.send.buffer.bytes",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
    "ssl.truststore.certificates": "ssl.ca.pem",
    "ssl.keystore.key": "ssl.key.pem",
    "ssl.keystore.certificate.chain": "ssl.certificate.pem",
}

PASSED = frozenset(
    {
        *("broker.address.family", "broker.address.ttl", "client.dns.lookup", "client.id"),
        *("client.rack", "connections.max.idle.ms", "enable.metrics.push"),
        *("enable.sasl.oauthbearer.unsecure.jwt", "enable.ssl.certificate.verification"),
        *("metadata.max.age.ms", "metadata.recovery.rebootstrap.trigger.ms"),
        *("metadata.recovery.strategy", "reconnect.backoff.max.ms", "reconnect.backoff.ms"),
        *("retry.backoff.max.ms", "retry.backoff.ms", "sasl.kerberos.keytab"),
        *("sasl.kerberos.kinit.cmd", "sasl.kerberos.min.time.before.relogin"),
        *("sasl.kerberos.principal", "sasl.kerberos.service.name"),
        *("sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret"),
        *("sasl.oauthbearer.config", "sasl.oauthbearer.extensions", "sasl.oauthbearer.method"),
        *("sasl.oauthbearer.scope", "sasl.oauthbearer.token.endpoint.url"),
        *("socket.connection.setup.timeout.ms", "socket.keepalive.enable"),
        *("socket.nagle.disable", "socket.receive.buffer.bytes", "socket.send.buffer.bytes"),
        *("socket.timeout.ms", "ssl.ca.location", "ssl.ca.pem", "ssl.certificate.location"),
        *("ssl.certificate.pem", "ssl.crl.location", "ssl.curves.list", "ssl.key.location"),
        *("ssl.key.password", "ssl.key.pem", "ssl.keystore.password", "ssl.sigalgs.list"),
    }
)
"""what librdkafka calls by the same name"""

UNTRANSLATABLE: Mapping[str, str] = {
    "bootstrap.controllers": "lessons talk to brokers",
    "config.providers": "write the values themselves",
    "sasl.client.callback.handler.class": "it is Java code",
    "sasl.login.callback.handler.class": "it is Java code",
    "sasl.login.class": "it is Java code",
    "security.providers": "it is Java code",
    "ssl.cipher.suites": "OpenSSL has other names for them",
    "ssl.engine.factory.class": "it is Java code",
    "ssl.provider": "it is Java code",
}
"""what would change who gets in, each with the reason or remedy"""

# Java's tokens and assertions: librdkafka has names of its own for what it can of this.
UNTRANSLATABLE_PREFIX = "sasl.oauthbearer."

LEFT_OUT = frozenset(
    {
        *("acks", "allow.auto.create.topics", "auto.commit.interval.ms", "auto.offset.reset"),
        *("batch.size", "bootstrap.resolve.timeout.ms", "buffer.memory", "check.crcs"),
        *("compression.gzip.level", "compression.lz4.level", "compression.type"),
        *("compression.zstd.level", "default.api.timeout.ms", "delivery.timeout.ms"),
        *("enable.auto.commit", "enable.idempotence", "exclude.internal.topics"),
        *("fetch.max.bytes", "fetch.max.wait.ms", "fetch.min.bytes", "group.id"),
        *("group.instance.id", "group.protocol", "group.remote.assignor"),
        *("heartbeat.interval.ms", "interceptor.classes", "isolation.level"),
        *("key.deserializer", "key.serializer", "linger.ms", "max.block.ms"),
        *("max.in.flight.requests.per.connection", "max.partition.fetch.bytes"),
        *("max.poll.interval.ms", "max.poll.records", "max.request.size"),
        *("metadata.cluster.check.enable", "metadata.max.idle.ms", "metric.reporters"),
        *("metrics.num.samples", "metrics.recording.level", "metrics.sample.window.ms"),
        *("partition.assignment.strategy", "partitioner.adaptive.partitioning.enable"),
        *("partitioner.availability.timeout.ms", "partitioner.class"),
        *("partitioner.ignore.keys", "partitioner.rack.aware", "retries"),
        *("sasl.kerberos.ticket.renew.jitter", "sasl.kerberos.ticket.renew.window.factor"),
        *("sasl.login.connect.timeout.ms", "sasl.login.read.timeout.ms"),
        *("sasl.login.refresh.buffer.seconds", "sasl.login.refresh.min.period.seconds"),
        *("sasl.login.refresh.window.factor", "sasl.login.refresh.window.jitter"),
        *("sasl.login.retry.backoff.max.ms", "sasl.login.retry.backoff.ms"),
        *("session.timeout.ms", "share.acknowledgement.mode", "share.acquire.mode"),
        *("socket.connection.setup.timeout.max.ms", "ssl.enabled.protocols"),
        *("ssl.keymanager.algorithm", "ssl.protocol", "ssl.secure.random.implementation"),
        *("ssl.trustmanager.algorithm", "transaction.timeout.ms"),
        *("transaction.two.phase.commit.enable", "transactional.id", "value.deserializer"),
        *("value.serializer",),
    }
)
"""Java's properties that lessons set themselves, or that librdkafka does without"""

TRANSLATED = frozenset(
    {
        *("bootstrap.servers", "security.protocol", "sasl.mechanism", "sasl.mechanisms"),
        *("sasl.jaas.config", "sasl.username", "sasl.password"),
        *("ssl.endpoint.identification.algorithm", "ssl.truststore.location"),
        *("ssl.truststore.password", "ssl.truststore.type", "ssl.keystore.location"),
        *("ssl.keystore.password", "ssl.keystore.type"),
    }
)
"""what is looked at one by one"""

SECRETS = re.compile(r"password|secret|jaas|\.key$|key\.pem$|oauthbearer\.config")
"""in the name of a property whose value nobody may see"""

# Kafka trims values as Java's String.trim() does.
JAVA_BLANKS = "".join(map(chr, range(ord(" ") + 1)))

PEM, PKCS12, JKS = "PEM", "PKCS12", "JKS"
SUFFIXES = {".pem": PEM, ".crt": PEM, ".cer": PEM, ".p12": PKCS12, ".pfx": PKCS12}

JAAS_MODULE = re.compile(r"\s*(?P<name>[\w.$]+)\s+(?:required|requisite|sufficient|optional)\b")
JAAS_OPTION = re.compile(
    r"""(?P<name>\w+)\s*=\s*(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'"""
    r"""|(?P<bare>[^\s;"']+))""",
    re.DOTALL,
)


class Secret(str):
    """A value that does not show where a test, a traceback or a log prints what it holds."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@dataclass(frozen=True)
class ClientProperties:
    """What every client of a lesson needs to reach a cluster."""

    librdkafka: Mapping[str, str]
    """by librdkafka's names; values that are secret are of class Secret"""
    left_out: tuple[str, ...] = ()
    """keys of the file that have no effect, sorted"""

    def hide_secrets(self, text: str) -> str:
        """A text without any secret value that may have got into it."""
        for value in self.librdkafka.values():
            if isinstance(value, Secret) and value:
                text = text.replace(str(value), "***")
        return text


def read_client_properties(path: Path | None, bootstrap: str) -> ClientProperties:
    """Read a properties file as `java.util.Properties` does, and translate it.

    Args:
        path: the file; None where bootstrap servers are all that is needed.
        bootstrap: what `--kafkalab-bootstrap` says; the file may say it instead.

    Raises:
        BadClientProperties: the file cannot be read or translated; the text
            names every key in question and what to do, and no value of a secret.
        NoBootstrap: neither says where the cluster is.
    """
    return translate(_parse(path) if path else {}, bootstrap, str(path or ""))


def translate(given: Mapping[str, str], bootstrap: str, source: str) -> ClientProperties:
    """Translate properties by Java's names; see `read_client_properties`.

    Args:
        given: the properties.
        bootstrap: servers that are named elsewhere, or "".
        source: what to call these properties in a message.
    """
    translation = _Translation(given)
    translation.run(bootstrap)
    if translation.problems:
        raise BadClientProperties(
            f"{source}: {'; '.join(translation.problems)}.",
            suspect="a file made for something else, or a typing error.",
            remedy="correct the file given with --kafkalab-config (docs/external.md says what it "
            "may hold).",
        )
    if not translation.found.get("bootstrap.servers"):
        raise NoBootstrap(
            "The external backend does not know where your cluster is.",
            suspect="--kafkalab-bootstrap is missing.",
            remedy="add --kafkalab-bootstrap=host:port, or bootstrap.servers to the file of "
            "--kafkalab-config.",
        )
    found = {
        key: Secret(value) if SECRETS.search(key) else value
        for key, value in translation.found.items()
    }
    return ClientProperties(found, tuple(sorted(translation.left_out)))


def _parse(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            rows = [
                row
                for row in javaproperties.parse(file)
                if isinstance(row, javaproperties.KeyValue)
            ]
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except javaproperties.InvalidUEscapeError as error:
        raise _unreadable(path, f"a broken escape {error.escape}") from error
    pairs = [(row.key, row.value.strip(JAVA_BLANKS)) for row in rows]
    found: dict[str, str] = {}
    for key, value in pairs:
        if found.setdefault(key, value) != value:
            raise _unreadable(path, f"{key} is there twice, with different values")
    return found


def _unreadable(path: Path, why: str) -> BadClientProperties:
    return BadClientProperties(
        f"{path} cannot be read ({why}).",
        suspect="a wrong path in --kafkalab-config, or a file that is not a Java properties file.",
        remedy="name the client.properties that your Kafka command line tools use.",
    )


class _Translation:
    """One file's translation: what was found, what is wrong, what has no effect."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self.found: dict[str, str] = {}
        self.problems: list[str] = []
        self.left_out: list[str] = []

    def run(self, bootstrap: str) -> None:
        """Translate all of it."""
        self._bootstrap(bootstrap)
        for key in self._given:
            self._sort(key)
        self._check_protocol()
        self._credentials()
        self._truststore()
        self._keystore()
        if "ssl.endpoint.identification.algorithm" in self._given:
            algorithm = self._given["ssl.endpoint.identification.algorithm"].lower()
            # Java's word for no check is an empty value.
            self.found["ssl.endpoint.identification.algorithm"] = algorithm or "none"

    def _bootstrap(self, option: str) -> None:
        in_file = self._given.get("bootstrap.servers", "")
        if option and in_file and _addresses(option) != _addresses(in_file):
            self.problems.append(
                f"bootstrap.servers={in_file} is not what --kafkalab-bootstrap says ({option})"
            )
        if servers := ",".join(_addresses(option or in_file)):
            self.found["bootstrap.servers"] = servers

    def _sort(self, key: str) -> None:
        if key in TRANSLATED:
            return
        if key in PASSED or key in RENAMED:
            self.found[RENAMED.get(key, key)] = self._given[key]
        elif key in UNTRANSLATABLE:
            self.problems.append(f"{key} cannot be translated: {UNTRANSLATABLE[key]}")
        elif key.startswith(UNTRANSLATABLE_PREFIX):
            self.problems.append(
                f"{key} cannot be translated: use librdkafka's sasl.oauthbearer.method=oidc, "
                ".client.id, .client.secret and .token.endpoint.url"
            )
        elif key in LEFT_OUT or key in librdkafka_defaults():
            self.left_out.append(key)
        else:
            self.problems.append(f"{key} is unknown{_meant(key)}")

    @property
    def _protocol(self) -> str:
        return self._given.get("security.protocol", "PLAINTEXT").upper()

    def _check_protocol(self) -> None:
        if self._protocol not in PROTOCOLS:
            self.problems.append(
                f"security.protocol={self._protocol} does not exist: use one of "
                f"{', '.join(PROTOCOLS)}"
            )
            return
        self.found["security.protocol"] = self._protocol.lower()
        for family, protocols in (("sasl.", SASL_PROTOCOLS), ("ssl.", SSL_PROTOCOLS)):
            keys = sorted(key for key in self._given if key.startswith(family))
            if keys and self._protocol not in protocols:
                self.problems.append(
                    f"{', '.join(keys)} contradict security.protocol={self._protocol}: "
                    f"use {' or '.join(protocols)}, or take them out"
                )

    def _credentials(self) -> None:
        if self._protocol not in SASL_PROTOCOLS:
            return
        named = {
            self._given[key].upper()
            for key in ("sasl.mechanism", "sasl.mechanisms")
            if key in self._given
        }
        if len(named) != 1:
            wrong = "contradicts sasl.mechanisms" if named else "is missing"
            self.problems.append(f"sasl.mechanism {wrong}")
            return
        (mechanism,) = named
        self.found["sasl.mechanism"] = mechanism
        own = {
            key: self._given[key]
            for key in ("sasl.username", "sasl.password")
            if key in self._given
        }
        if jaas := self._given.get("sasl.jaas.config"):
            if own:
                self.problems.append(f"sasl.jaas.config contradicts {', '.join(own)}: keep one")
                return
            own = self._from_jaas(jaas, mechanism)
        self.found |= own
        if mechanism in LOGIN_MODULES and not self.problems:
            missing = {"sasl.username", "sasl.password"} - set(own)
            if missing:
                self.problems.append(
                    f"{mechanism} needs a username and a password: give sasl.jaas.config, or "
                    f"{' and '.join(sorted(missing))}"
                )

    def _from_jaas(self, jaas: str, mechanism: str) -> dict[str, str]:
        module = JAAS_MODULE.match(jaas)
        if module is None:
            self.problems.append(
                'sasl.jaas.config is not of the form `Module required name="value" ... ;`'
            )
            return {}
        name = module["name"].rpartition(".")[2]
        if name not in LOGIN_MODULES.values():
            self.problems.append(
                f"sasl.jaas.config with {name} cannot be translated: use librdkafka's own "
                f"sasl.* properties for {mechanism}"
            )
            return {}
        if LOGIN_MODULES.get(mechanism) != name:
            self.problems.append(f"sasl.jaas.config with {name} contradicts {mechanism}")
            return {}
        options = {
            option["name"]: _unquoted(option) for option in JAAS_OPTION.finditer(jaas, module.end())
        }
        return {f"sasl.{key}": options[key] for key in ("username", "password") if key in options}

    def _truststore(self) -> None:
        path = self._file("ssl.truststore.location")
        if path is None:
            return
        kind = self._kind("ssl.truststore", path)
        if kind == PEM:
            if "ssl.ca.location" in self._given:
                self.problems.append("ssl.truststore.location contradicts ssl.ca.location")
            self.found["ssl.ca.location"] = str(path)
            return
        command = (
            f"openssl pkcs12 -in {path} -nokeys -out ca.pem"
            if kind == PKCS12
            else f"keytool -exportcert -rfc -keystore {path} -alias ALIAS -file ca.pem"
        )
        self.problems.append(
            f"ssl.truststore.location: librdkafka reads no {kind} truststore: run `{command}`, "
            "then say ssl.truststore.type=PEM and ssl.truststore.location=ca.pem"
        )

    def _keystore(self) -> None:
        path = self._file("ssl.keystore.location")
        if path is None:
            return
        kind = self._kind("ssl.keystore", path)
        if kind == PKCS12:
            self.found["ssl.keystore.location"] = str(path)
            password = self._given.get("ssl.keystore.password", "")
            self.found["ssl.keystore.password"] = password
            if self.found.pop("ssl.key.password", password) != password:
                self.problems.append(
                    "ssl.key.password differs from ssl.keystore.password, which a PKCS12 file "
                    "cannot have for librdkafka"
                )
        elif kind == PEM:
            # One file with the key and the chain of certificates, as KIP-651 has it.
            self.found["ssl.key.location"] = self.found["ssl.certificate.location"] = str(path)
        else:
            self.problems.append(
                f"ssl.keystore.location: librdkafka reads no {kind} keystore: run `keytool "
                f"-importkeystore -srckeystore {path} -destkeystore key.p12 -deststoretype "
                "PKCS12`, then say ssl.keystore.type=PKCS12 and ssl.keystore.location=key.p12"
            )

    def _file(self, key: str) -> Path | None:
        """The file that a property names, if it is there; relative to the current folder."""
        if key not in self._given:
            return None
        path = Path(self._given[key]).expanduser().absolute()
        if not path.is_file():
            self.problems.append(f"{key}: there is no file {path}")
            return None
        return path

    def _kind(self, store: str, path: Path) -> str:
        given = self._given.get(f"{store}.type", "").upper()
        return given or SUFFIXES.get(path.suffix.lower(), JKS)


def _addresses(servers: str) -> list[str]:
    return sorted({each.strip() for each in servers.split(",") if each.strip()})


def _meant(key: str) -> str:
    known = [*TRANSLATED, *PASSED, *RENAMED, *LEFT_OUT, *UNTRANSLATABLE]
    near = difflib.get_close_matches(key, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _unquoted(option: re.Match[str]) -> str:
    quoted = option["double"] if option["double"] is not None else option["single"]
    return option["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
