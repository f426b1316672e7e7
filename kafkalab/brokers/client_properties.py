"""Translate a Java client's properties file to librdkafka's names.

Only properties of the connection are taken: lessons set the properties that they
are about (acks, groups, fetching ...) themselves. Like Java, it leaves out unknown
properties. Sources of the names: Apache Kafka's client configuration documentation,
and librdkafka's CONFIGURATION.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from kafkalab.brokers import client_credentials, client_stores
from kafkalab.brokers.client_credentials import KERBEROS, LOGIN_MODULES, OAUTH
from kafkalab.brokers.client_stores import as_pem
from kafkalab.brokers.errors import BadClientProperties, NoBootstrap
from kafkalab.brokers.java_properties import BadFile, Findings, Row, in_ranges, nearest, read
from kafkalab.config import doc
from kafkalab.librdkafka import librdkafka_defaults, librdkafka_ranges

SASL_PROTOCOLS = ("SASL_PLAINTEXT", "SASL_SSL")
SSL_PROTOCOLS = ("SSL", "SASL_SSL")
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")

RENAMED: Mapping[str, str] = {
    "send.buffer.bytes": "socket.send.buffer.bytes",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
    "sasl.oauthbearer.assertion.template.file": "sasl.oauthbearer.assertion.jwt.template.file",
}

CONNECTION = re.compile(
    r"broker\.address\.|client\.(?:dns\.lookup|id|rack)$|connections\.max\.idle|https\."
    r"|enable\.(?:metrics\.push|sasl|ssl)|metadata\.(?:max\.age|recovery)"
    r"|(?:reconnect|retry)\.backoff\.|sasl\.|socket\.(?!timeout\.ms)|ssl\."
)
"""the start of librdkafka's names for properties of the connection, which are taken

Not socket.timeout.ms: a transaction's timeout must not be below it, and some lessons need short
timeouts.
"""

UNTRANSLATABLE: Mapping[str, str] = {
    "bootstrap.controllers": "lessons talk to brokers, so say bootstrap.servers",
    "config.providers": "write the values themselves",
    "security.providers": "it is Java code",
    "ssl.engine.factory.class": "it is Java code",
}
"""properties that would change the login or the connection, each with the reason or remedy;
`client_credentials` and `client_stores` refuse more"""

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
        *("partitioner.ignore.keys", "partitioner.rack.aware", "request.timeout.ms", "retries"),
        *("sasl.kerberos.ticket.renew.jitter", "sasl.kerberos.ticket.renew.window.factor"),
        *("sasl.login.connect.timeout.ms", "sasl.login.read.timeout.ms"),
        *("sasl.login.refresh.buffer.seconds", "sasl.login.refresh.min.period.seconds"),
        *("sasl.login.refresh.window.factor", "sasl.login.refresh.window.jitter"),
        *("sasl.login.retry.backoff.max.ms", "sasl.login.retry.backoff.ms"),
        *("session.timeout.ms", "share.acknowledgement.mode", "share.acquire.mode"),
        *("sasl.oauthbearer.allow.unverified.audience", "sasl.oauthbearer.allow.unverified.issuer"),
        *("sasl.oauthbearer.clock.skew.seconds", "sasl.oauthbearer.expected.audience"),
        *("sasl.oauthbearer.expected.issuer", "sasl.oauthbearer.jwks.endpoint.refresh.ms"),
        *("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",),
        *("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "sasl.oauthbearer.jwks.endpoint.url"),
        *("sasl.oauthbearer.jwt.validator.class", "sasl.oauthbearer.scope.claim.name"),
        *("socket.connection.setup.timeout.max.ms", "ssl.enabled.protocols"),
        *("ssl.keymanager.algorithm", "ssl.protocol", "ssl.provider"),
        *("ssl.secure.random.implementation", "ssl.trustmanager.algorithm"),
        *("transaction.timeout.ms",),
        *("transaction.two.phase.commit.enable", "transactional.id", "value.deserializer"),
        *("value.serializer",),
    }
)
"""Java's properties that lessons set themselves, or that librdkafka does not need"""

# The second is librdkafka's name for the first.
SERVERS = ("bootstrap.servers", "metadata.broker.list")

HANDLED = frozenset(
    {
        *SERVERS,
        "security.protocol",
        *client_credentials.HANDLED,
        *client_stores.HANDLED,
    }
)
"""properties that are handled one by one"""

KNOWN = frozenset({*HANDLED, *RENAMED, *UNTRANSLATABLE, *LEFT_OUT})
"""Java's names that this module knows; librdkafka itself names its own"""

OTHER_PEM: Mapping[str, str] = {
    "https.ca.pem": client_stores.CERTIFICATE,
    "sasl.oauthbearer.assertion.private.key.pem": client_stores.PRIVATE_KEY,
}

SECRETS = re.compile(
    r"passw|passphrase|secret|jaas|\.key$|key\.pem$|oauthbearer\.config|kinit\.cmd"
)
"""part of the name of a property with a secret value"""

FREE = re.compile(
    r"passw|passphrase|secret|username|client\.(?:id|rack)$|principal$"
    r"|\.(?:key|pem|certificates|chain)$"
)
"""part of the name of a property with a value that may have quotation marks"""

# The pattern of Kafka's own Utils.getHost and getPort, with or without a listener's name.
ADDRESS = re.compile(
    r"(?:[0-9a-zA-Z\-%._]*://)?"
    r"(?:(?P<name>(?:[0-9a-zA-Z_-]{1,63}\.)*[0-9a-zA-Z_-]{1,63}\.?)"
    r"|\[?(?P<ipv6>[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*?(?:%[0-9a-zA-Z._-]{1,20})?)]?)"
    r"(?::(?P<port>[0-9]{1,5}))?"
)

TLS13_SUITE = re.compile(r"TLS_(?!.*_WITH_).*")


class Secret(str):
    """A value that tests, tracebacks and logs do not show when they print its repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


# Letters: a secret of this length is not part of another word by chance.
LONG = 8


@dataclass(frozen=True)
class ClientProperties:
    """The properties that every client of a lesson needs to reach a cluster."""

    librdkafka: Mapping[str, str]
    """by librdkafka's names; secret values have the class Secret"""
    left_out: tuple[str, ...] = ()
    """parts of the file without effect: keys, sorted, and lines with keys that must be hidden"""

    def hide_secrets(self, text: str) -> str:
        """The text with every secret value in it replaced by a mask."""
        secrets = [each for each in self.librdkafka.values() if isinstance(each, Secret) and each]
        for value in sorted(secrets, key=len, reverse=True):
            # A mask inside words would give away a password of one letter.
            edges = (r"(?<![^\W_])", r"(?![^\W_])") if len(value) < LONG else ("", "")
            text = re.sub(re.escape(value).join(edges), "***", text)
        return text


def read_client_properties(path: Path | None, bootstrap: str) -> ClientProperties:
    """Read a properties file as `java.util.Properties` does, and translate it.

    Args:
        path: the file; None if the bootstrap servers are enough.
        bootstrap: the value of `--kafkalab-bootstrap`; the file may name the servers instead.

    Raises:
        BadClientProperties: the file cannot be read or translated; the text names every
            property with a problem and what to do, and shows no secret value.
        NoBootstrap: neither names the servers.
    """
    try:
        data = path.read_bytes() if path else b""
    except OSError as error:
        raise BadClientProperties(
            f"{path} cannot be read ({error.strerror or error}).",
            suspect="a wrong path in --kafkalab-config.",
            remedy="name the client.properties that your Kafka command line tools use.",
        ) from error
    return translate(data, bootstrap, str(path or ""))


def translate(data: bytes, bootstrap: str, source: str) -> ClientProperties:
    """Translate the text of a properties file; see `read_client_properties`.

    Args:
        data: the whole content of the file.
        bootstrap: servers that are named elsewhere, or "".
        source: the name of the file in a message.
    """
    try:
        rows = read(data, KNOWN | set(librdkafka_ranges()))
        findings = _Translation(rows).run(bootstrap)
    except BadFile as error:
        findings = Findings(problems=[str(error)])
    if findings.problems:
        raise BadClientProperties(
            f"{source + ': ' if source else ''}{'; '.join(findings.problems)}.",
            suspect="a file made for something else, or a typing error.",
            remedy="correct the file given with --kafkalab-config "
            f"({doc('external.md', 'docs/external.md')} says what it may contain).",
        )
    if not findings.found.get("bootstrap.servers"):
        raise NoBootstrap(
            "The external backend does not know where your cluster is.",
            suspect="--kafkalab-bootstrap is missing.",
            remedy="add --kafkalab-bootstrap=host:port, or bootstrap.servers to the file of "
            "--kafkalab-config.",
        )
    found = {
        key: Secret(value) if SECRETS.search(key) else value
        for key, value in findings.found.items()
    }
    return ClientProperties(found, tuple(findings.left_out))


class _Translation:
    """The translation of one file: its properties, its problems, and what has no effect."""

    def __init__(self, rows: Sequence[Row]) -> None:
        names = KNOWN | set(librdkafka_ranges())
        known = [row for row in rows if row.key in names]
        self._unknown = [row for row in rows if row.key not in names]
        # If a key comes twice, the last one counts, as in Java.
        self._given = {row.key: row for row in known}
        self._overruled = [row for row in known if row.value != self._given[row.key].value]
        self._unnamed: list[Row] = []
        self._protocol = self._mechanism = ""
        self.findings = Findings()

    def run(self, bootstrap: str) -> Findings:
        """Translate the whole file."""
        for row in self._given.values():
            self._check_line_end(row)
        for row in self._unknown:
            self._leave_out_unknown(row, bootstrap)
        for key in ("security.protocol", "sasl.mechanism", "sasl.mechanisms", *SERVERS):
            if key in self._given:
                self._unquote(key)
        self._check_protocol()
        self._locate(bootstrap)
        for key in list(self._given):
            self._sort(key)
        if self._mechanism:
            self._join(client_credentials.log_in(self._given, self._mechanism))
        if self._protocol in SSL_PROTOCOLS:
            self._join(client_stores.stores(self._given))
        self._settle_backoff()
        self._check_characters()
        self._name_what_was_left_out()
        return self.findings

    def _problem(self, text: str) -> None:
        self.findings.problems.append(text)

    def _join(self, findings: Findings) -> None:
        self.findings.found |= findings.found
        self.findings.problems += findings.problems
        self.findings.left_out += findings.left_out

    def _check_line_end(self, row: Row) -> None:
        """Report a missing line end: a secret may be part of a value that is not secret."""
        joined = _secret_behind().search(row.value)
        # Options of a login module may have the same names as properties.
        if joined and row.key != "sasl.jaas.config":
            self._problem(
                f"{row.key} (line {row.line}) has {joined[1]} in its value: the end of a line is "
                "missing between them"
            )

    def _unquote(self, key: str) -> None:
        row = self._given[key]
        if len(row.value) > 1 and row.value[0] in "\"'" and row.value[0] == row.value[-1]:
            self._problem(
                f"{key} (line {row.line}) has quotation marks around its value, and for Java "
                "they are part of it: remove them"
            )
            self._given[key] = replace(row, value=row.value[1:-1])

    def _check_protocol(self) -> None:
        row = self._given.get("security.protocol")
        protocol = row.value.upper() if row else "PLAINTEXT"
        if row and protocol not in PROTOCOLS:
            self._problem(f"security.protocol (line {row.line}) is none of {', '.join(PROTOCOLS)}")
            return
        self._protocol = protocol
        self.findings.found["security.protocol"] = protocol.lower()
        if protocol in SASL_PROTOCOLS:
            self._mechanism, problem = client_credentials.mechanism_of(self._given)
            self.findings.problems += [problem] if problem else []

    def _locate(self, option: str) -> None:
        """Find the addresses of the cluster."""
        key = next((each for each in SERVERS if each in self._given), "")
        in_file = self._given[key].value if key else ""
        servers = {}
        for name, text in (("--kafkalab-bootstrap", option), (key, in_file)):
            addresses = [_address(each) for each in text.split(",") if each.strip()]
            if "" in addresses:
                self._problem(f"{name} is not a list of host:port")
            elif addresses:
                servers[name] = sorted(set(addresses))
        if len({tuple(each) for each in servers.values()}) > 1:
            self._problem(
                f"{key}={','.join(servers[key])} is not what --kafkalab-bootstrap says "
                f"({','.join(servers['--kafkalab-bootstrap'])})"
            )
        elif servers:
            self.findings.found["bootstrap.servers"] = ",".join(next(iter(servers.values())))
        self.findings.left_out += [each for each in SERVERS if each in self._given and each != key]

    def _sort(self, key: str) -> None:
        if key in SERVERS or key == "security.protocol":
            return
        if self._is_idle(key):
            self.findings.left_out.append(key)
        elif key in UNTRANSLATABLE:
            self._problem(f"{key} cannot be translated: {UNTRANSLATABLE[key]}")
        elif key in HANDLED or key in RENAMED or _makes_the_connection(key):
            if not FREE.search(key):
                self._unquote(key)
            self._take(self._given[key])
        else:
            self.findings.left_out.append(key)

    def _is_idle(self, key: str) -> bool:
        """Whether a property has no effect with this protocol and this mechanism, as in Java."""
        if key.startswith(("ssl.", "enable.ssl.")):
            return self._protocol not in SSL_PROTOCOLS
        if not key.startswith(("sasl.", "enable.sasl.", "https.")):
            return key == "security.providers" and self._protocol == "PLAINTEXT"
        if key.startswith("sasl.kerberos."):
            return self._mechanism != KERBEROS
        if key.startswith(("sasl.oauthbearer.", "enable.sasl.oauthbearer.", "https.")):
            return self._mechanism != OAUTH
        if key in ("sasl.username", "sasl.password"):
            return self._mechanism not in LOGIN_MODULES
        return not self._mechanism

    def _leave_out_unknown(self, row: Row, bootstrap: str) -> None:
        """Leave out a property that Java does not know either, unless it is a typing error."""
        meant = nearest(row.key, _with_effect())
        # Java's tools have an option --bootstrap-server, which some write into the file too.
        is_said = meant in SERVERS and (bootstrap or set(SERVERS) & set(self._given))
        if meant and not is_said:
            self._problem(f"{row.title} is unknown (did you mean {meant}?)")
            # Go on as if it was written correctly, to find all other problems, too.
            self._given.setdefault(meant, replace(row, key=meant))
        elif row.is_showable:
            self.findings.left_out.append(row.key)
        else:
            self._unnamed.append(row)

    def _take(self, row: Row) -> None:
        if row.key == "ssl.endpoint.identification.algorithm":
            # In Java an empty value means no check.
            row = replace(row, value=row.value.lower() or "none")
        if row.key == "ssl.cipher.suites" and all(
            map(TLS13_SUITE.fullmatch, re.split(r"[,:\s]+", row.value))
        ):
            # In librdkafka this list applies to TLS 1.2 only; it allows all suites of TLS 1.3.
            self.findings.left_out.append(row.key)
        elif row.key in OTHER_PEM:
            self.findings.found[row.key] = as_pem(row.value, OTHER_PEM[row.key])
        elif row.key not in HANDLED:
            if row.key in client_stores.FILES and (problem := client_stores.unreadable(row)):
                self._problem(problem)
            name = RENAMED.get(row.key, row.key)
            value = self._fitting(row, librdkafka_ranges().get(name, ""))
            # A value of several lines may contain a secret by mistake.
            self.findings.found[name] = Secret(value) if row.lines > 1 else value

    def _fitting(self, row: Row, taken: str) -> str:
        """A value within librdkafka's limits: Java takes any number, and -1 for the system's.

        Args:
            row: the property.
            taken: the values that librdkafka takes, from `librdkafka_ranges`.
        """
        if limits := re.fullmatch(r"(-?\d+) \.\. (-?\d+)", taken):
            if not re.fullmatch(r"[+-]?[0-9]{1,19}", row.value):
                self._problem(f"{row.key} (line {row.line}) is not a whole number")
                return ""
            return str(min(max(int(row.value), int(limits[1])), int(limits[2])))
        choices = taken.split(", ") if taken and taken != "true, false" else []
        if choices and row.value.lower() not in map(str.lower, choices):
            self._problem(f"{row.key} (line {row.line}) is none of {taken}")
        return row.value

    def _settle_backoff(self) -> None:
        """Make the two backoffs equal if the first is longer: librdkafka refuses that, Java not."""
        found = {**librdkafka_defaults(), **self.findings.found}
        first, most = "reconnect.backoff.ms", "reconnect.backoff.max.ms"
        if not self.findings.problems and int(found[first]) > int(found[most]):
            given = first if most not in self.findings.found else most
            self.findings.found |= {first: found[given], most: found[given]}

    def _check_characters(self) -> None:
        for key, value in self.findings.found.items():
            if re.search("[\0\ud800-\udfff]", value):
                self._problem(f"{key} has a character that librdkafka does not accept")

    def _name_what_was_left_out(self) -> None:
        names = {
            *self.findings.left_out,
            *(f"{row.key} of line {row.line}" for row in self._overruled),
        }
        lines = [row.line + more for row in self._unnamed for more in range(row.lines)]
        self.findings.left_out = [*sorted(names), *in_ranges(lines)]


@cache
def _secret_behind() -> re.Pattern[str]:
    """A pattern for the name of a secret property with a separator, anywhere in a text."""
    names = sorted(filter(SECRETS.search, _with_effect()), key=len, reverse=True)
    return re.compile(rf"({'|'.join(map(re.escape, names))})\s*[=:]")


@cache
def _with_effect() -> tuple[str, ...]:
    passing = [name for name in librdkafka_ranges() if _makes_the_connection(name)]
    return (*HANDLED, *RENAMED, *UNTRANSLATABLE, *passing)


def _makes_the_connection(name: str) -> bool:
    return CONNECTION.match(name) is not None and name in librdkafka_ranges()


def _address(text: str) -> str:
    """The `host:port` for librdkafka of an address in Java's form; "" if it is not one."""
    found = ADDRESS.fullmatch(text.strip())
    if not found:
        return ""
    host = found["name"] or f"[{found['ipv6']}]"
    return f"{host}:{found['port']}" if found["port"] else host
