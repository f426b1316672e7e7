"""Translate a client's keys and certificates: Java's stores for librdkafka.

librdkafka reads PEM, and PKCS12 with a key. In Java, each of the store types JKS and PKCS12 reads
files of both kinds (`keystore.type.compat` of Java's security properties). So the first bytes of
a file decide its kind, and not the declared type.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from kafkalab.brokers.distribution import find_java
from kafkalab.brokers.errors import NoJava
from kafkalab.brokers.java_properties import Findings, Row

PEM, PKCS12, JKS, JCEKS, DER = "PEM", "PKCS12", "JKS", "JCEKS", "DER"

MAGIC: Mapping[bytes, str] = {b"\xfe\xed\xfe\xed": JKS, b"\xce\xce\xce\xce": JCEKS}
# A sequence of any length. In PKCS12 the version number 3 follows (RFC 7292), in a certificate
# another sequence (its content to be signed).
DER_SEQUENCE = rb"\x30(?:[\x00-\x7f]|\x81.|\x82..|\x83...|\x84....|\x80)"
PKCS12_HEAD = re.compile(DER_SEQUENCE + rb"\x02\x01\x03", re.DOTALL)
CERTIFICATE_HEAD = re.compile(DER_SEQUENCE + DER_SEQUENCE + rb"[\xa0\x02]", re.DOTALL)

# A store has only a few kilobytes.
MOST_BYTES = 10_000_000

BLOCK = re.compile(
    r"-----BEGIN(?P<label>[A-Z0-9\s]+)-----(?P<body>.*?)-----END[A-Z0-9\s]+-----", re.DOTALL
)
BODY = re.compile(r"[A-Za-z0-9+/]+={0,2}")
COLUMNS = 64

CERTIFICATE, PRIVATE_KEY = "CERTIFICATE", "PRIVATE KEY"
PEM_TEXTS: Mapping[str, tuple[str, str]] = {
    "ssl.truststore.certificates": ("ssl.ca.pem", CERTIFICATE),
    "ssl.keystore.key": ("ssl.key.pem", PRIVATE_KEY),
    "ssl.keystore.certificate.chain": ("ssl.certificate.pem", CERTIFICATE),
    "ssl.ca.pem": ("ssl.ca.pem", CERTIFICATE),
    "ssl.key.pem": ("ssl.key.pem", PRIVATE_KEY),
    "ssl.certificate.pem": ("ssl.certificate.pem", CERTIFICATE),
}
"""properties with PEM values: librdkafka's name, and the kind of PEM block in it"""

FILES = frozenset(
    {
        *("ssl.ca.location", "ssl.certificate.location", "ssl.crl.location", "ssl.key.location"),
        "https.ca.location",
    }
)
"""librdkafka's properties that name files"""

HANDLED = frozenset(
    {
        *PEM_TEXTS,
        *("ssl.truststore.location", "ssl.truststore.password", "ssl.truststore.type"),
        *("ssl.keystore.location", "ssl.keystore.password", "ssl.keystore.type"),
        *("ssl.key.password",),
    }
)
"""the properties that `stores` handles"""


def as_pem(text: str, wanted: str) -> str:
    """Convert PEM from Java's form, with blanks instead of line ends, to OpenSSL's form.

    Args:
        text: blocks of PEM, with any text between them.
        wanted: the end of the labels of the wanted blocks; other blocks are dropped.

    Returns:
        The wanted blocks; "" if there are none.
    """
    blocks = []
    for block in BLOCK.finditer(text):
        label = " ".join(block["label"].split())
        if not label.endswith(wanted):
            continue
        body = "".join(block["body"].split())
        if ":" in body:
            # A key in OpenSSL's old encrypted format: its headers must stay on their own lines.
            blocks.append(f"-----BEGIN {label}-----{block['body']}-----END {label}-----\n")
        elif BODY.fullmatch(body):
            lines = [body[at : at + COLUMNS] for at in range(0, len(body), COLUMNS)]
            blocks.append(
                "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----\n"))
            )
    return "".join(blocks)


def kind_of(path: Path) -> str:
    """The kind of a file, by its bytes; "" if it is not a store.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(MOST_BYTES)
    if kind := MAGIC.get(data[:4]):
        return kind
    if PKCS12_HEAD.match(data):
        return PKCS12
    if CERTIFICATE_HEAD.match(data):
        return DER
    return PEM if b"-----BEGIN " in data else ""


def unreadable(row: Row) -> str:
    """Why the file or folder that a librdkafka property names cannot be read; else ""."""
    path = Path(row.value)
    # With the value `probe`, librdkafka looks for the system's certificates itself.
    if row.value == "probe" or path.is_dir():
        return ""
    try:
        path.open("rb").close()
    except (OSError, ValueError) as error:
        return _cannot_be_read(row, path, error)
    return ""


def stores(given: Mapping[str, Row]) -> Findings:
    """The certificates that a client trusts, and its own key and certificate.

    Args:
        given: all properties by their keys, of a client that speaks TLS.
    """
    findings = Findings()
    _texts(given, findings)
    _truststore(given, findings)
    _keystore(given, findings)
    return findings


def _texts(given: Mapping[str, Row], findings: Findings) -> None:
    for key, (name, wanted) in PEM_TEXTS.items():
        if key not in given:
            continue
        pem = as_pem(given[key].value, wanted)
        if not pem:
            findings.problems.append(
                f"{key} (line {given[key].line}) has no whole {wanted} in PEM: each of its lines "
                "but the last ends with \\n\\"
            )
        store = key.rpartition(".")[0] if key.startswith("ssl.truststore") else "ssl.keystore"
        kind = given.get(f"{store}.type")
        if key != name and kind and kind.value.upper() != PEM:
            findings.problems.append(f"{key} needs {store}.type=PEM")
        findings.found[name] = pem
    pair = [key for key in ("ssl.keystore.key", "ssl.keystore.certificate.chain") if key in given]
    if len(pair) == 1:
        findings.problems.append(
            f"{pair[0]} has no effect alone: ssl.keystore.key and ssl.keystore.certificate.chain "
            "must both be given"
        )


def _truststore(given: Mapping[str, Row], findings: Findings) -> None:
    own = {"ssl.ca.location", "ssl.ca.pem"} & set(given)
    if own or "ssl.truststore.location" not in given:
        _leave_out(given, findings, "ssl.truststore.location", "ssl.truststore.password")
        return
    path, kind = _store(given, findings, "ssl.truststore")
    if path is None:
        return
    if "ssl.truststore.certificates" in given:
        findings.problems.append("ssl.truststore.location contradicts ssl.truststore.certificates")
    if kind == PEM:
        findings.found["ssl.ca.location"] = str(path)
        _leave_out(given, findings, "ssl.truststore.password")
        return
    command = "-printcert -rfc -file" if kind == DER else "-list -rfc -keystore"
    findings.problems.append(
        f"ssl.truststore.location: librdkafka cannot read a {kind} truststore: run "
        f"`{_keytool()} {command} {shlex.quote(str(path))} > ca.pem`, and add "
        "ssl.ca.location=ca.pem"
    )


def _keystore(given: Mapping[str, Row], findings: Findings) -> None:
    key_password = given.get("ssl.key.password")
    if key_password:
        findings.found["ssl.key.password"] = key_password.value
    own = {"ssl.key.location", "ssl.key.pem"} & set(given)
    if own or "ssl.keystore.location" not in given:
        _leave_out(given, findings, "ssl.keystore.location", "ssl.keystore.password")
        return
    path, kind = _store(given, findings, "ssl.keystore")
    if path is None:
        return
    if "ssl.keystore.key" in given:
        findings.problems.append("ssl.keystore.location contradicts ssl.keystore.key")
    password = given.get("ssl.keystore.password")
    if kind == PKCS12:
        findings.found["ssl.keystore.location"] = str(path)
        findings.found["ssl.keystore.password"] = password.value if password else ""
        own_password = findings.found.pop("ssl.key.password", None)
        if own_password not in (None, findings.found["ssl.keystore.password"]):
            findings.problems.append(
                "ssl.key.password differs from ssl.keystore.password, and librdkafka takes only "
                "one password for a PKCS12 file"
            )
    elif kind == PEM:
        if password:
            findings.problems.append(
                "ssl.keystore.password does not apply to PEM: say ssl.key.password"
            )
        # One file has both the key and the chain of certificates (KIP-651).
        findings.found["ssl.key.location"] = str(path)
        findings.found["ssl.certificate.location"] = str(path)
    elif kind == DER:
        findings.problems.append(
            "ssl.keystore.location is a certificate without a key: name the store that has both"
        )
    else:
        findings.problems.append(
            f"ssl.keystore.location: librdkafka cannot read a {kind} keystore: run `{_keytool()} "
            f"-importkeystore -srckeystore {shlex.quote(str(path))} -destkeystore key.p12 "
            "-deststoretype PKCS12`, then say ssl.keystore.type=PKCS12 and "
            "ssl.keystore.location=key.p12"
        )


def _leave_out(given: Mapping[str, Row], findings: Findings, *keys: str) -> None:
    findings.left_out += [key for key in keys if key in given]


def _store(
    given: Mapping[str, Row], findings: Findings, store: str
) -> tuple[Path, str] | tuple[None, str]:
    """The file of a store and its kind; None and "" after a problem.

    A path is relative to the current folder, as in Java.
    """
    key = f"{store}.location"
    path = Path(given[key].value).expanduser().absolute()
    try:
        kind = kind_of(path)
    except (OSError, ValueError) as error:
        findings.problems.append(_cannot_be_read(given[key], path, error))
        return None, ""
    declared = given[f"{store}.type"].value.upper() if f"{store}.type" in given else ""
    if not kind:
        findings.problems.append(f"{key}: the file is not a store: neither PEM, JKS nor PKCS12")
        return None, ""
    if declared and (declared == PEM) != (kind == PEM):
        findings.problems.append(
            f"{key}: the file is {kind}, and {store}.type does not say so: correct the type"
        )
        return None, ""
    return path, kind


def _cannot_be_read(row: Row, path: Path, error: Exception) -> str:
    why = getattr(error, "strerror", None) or "it has a character that no path has"
    # A value of several lines may contain more than a path, perhaps a secret: it is not shown.
    is_path = row.lines == 1 and "=" not in row.value and row.value.isprintable()
    shown = str(path) if is_path else f"the file of line {row.line}"
    if row.has_escapes and "\\" not in row.value:
        shown += ", in which a backslash escaped the next character (write / or \\\\),"
    return f"{row.key}: {shown} cannot be read ({why})"


def _keytool() -> str:
    """The path of Java's keytool: on the PATH, or with the Java that runs Kafka here."""
    if shutil.which("keytool"):
        return "keytool"
    try:
        return shlex.quote(str(find_java().executable.with_name("keytool")))
    except NoJava:
        return "keytool"
