"""Keys and certificates of a client: Java's stores, for librdkafka.

It reads PEM, and PKCS12 if a key is in it. Java's store types JKS and PKCS12 read both of them
(`keystore.type.compat` of Java's security properties), so what a file is its first bytes say.
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
# A sequence of any length, and in it a version number 3 (RFC 7292), or else the sequence in
# which a certificate says what it certifies.
DER_SEQUENCE = rb"\x30(?:[\x00-\x7f]|\x81.|\x82..|\x83...|\x84....|\x80)"
PKCS12_HEAD = re.compile(DER_SEQUENCE + rb"\x02\x01\x03", re.DOTALL)
CERTIFICATE_HEAD = re.compile(DER_SEQUENCE + DER_SEQUENCE + rb"[\xa0\x02]", re.DOTALL)

# A store has a few kilobytes.
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
"""properties whose values are PEM: librdkafka's name for each, and what is in it"""

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
"""what `stores` looks at"""


def as_pem(text: str, wanted: str) -> str:
    """PEM as OpenSSL takes it, of PEM as Java takes it: with blanks where lines should end.

    Args:
        text: blocks of PEM, and whatever stands between them.
        wanted: what the labels of the blocks in question end with; others fall away.

    Returns:
        These blocks; "" if there is none.
    """
    blocks = []
    for block in BLOCK.finditer(text):
        label = " ".join(block["label"].split())
        if not label.endswith(wanted):
            continue
        body = "".join(block["body"].split())
        if ":" in body:
            # Encrypted as OpenSSL did it before PKCS8: its headers need their lines.
            blocks.append(f"-----BEGIN {label}-----{block['body']}-----END {label}-----\n")
        elif BODY.fullmatch(body):
            lines = [body[at : at + COLUMNS] for at in range(0, len(body), COLUMNS)]
            blocks.append(
                "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----\n"))
            )
    return "".join(blocks)


def kind_of(path: Path) -> str:
    """What a file is, by its bytes; "" if it is no store.

    Raises:
        OSError: it cannot be read.
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
    """What is wrong with a file, or a folder, that one of librdkafka's properties names, or ""."""
    path = Path(row.value)
    # Where certificates are, librdkafka may be told to look for itself.
    if row.value == "probe" or path.is_dir():
        return ""
    try:
        path.open("rb").close()
    except (OSError, ValueError) as error:
        return _cannot_be_read(row, path, error)
    return ""


def stores(given: Mapping[str, Row]) -> Findings:
    """Whom a client trusts, and by what it is known itself.

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
            f"{pair[0]} is of no use alone: ssl.keystore.key and ssl.keystore.certificate.chain "
            "go together"
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
        f"ssl.truststore.location: librdkafka reads no {kind} truststore: run "
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
                "ssl.key.password differs from ssl.keystore.password, which a PKCS12 file cannot "
                "have for librdkafka"
            )
    elif kind == PEM:
        if password:
            findings.problems.append(
                "ssl.keystore.password is for other stores than PEM: say ssl.key.password"
            )
        # One file with the key and the chain of certificates, as KIP-651 has it.
        findings.found["ssl.key.location"] = str(path)
        findings.found["ssl.certificate.location"] = str(path)
    elif kind == DER:
        findings.problems.append(
            "ssl.keystore.location is a certificate without a key: name the store that has both"
        )
    else:
        findings.problems.append(
            f"ssl.keystore.location: librdkafka reads no {kind} keystore: run `{_keytool()} "
            f"-importkeystore -srckeystore {shlex.quote(str(path))} -destkeystore key.p12 "
            "-deststoretype PKCS12`, then say ssl.keystore.type=PKCS12 and "
            "ssl.keystore.location=key.p12"
        )


def _leave_out(given: Mapping[str, Row], findings: Findings, *keys: str) -> None:
    findings.left_out += [key for key in keys if key in given]


def _store(
    given: Mapping[str, Row], findings: Findings, store: str
) -> tuple[Path, str] | tuple[None, str]:
    """The file of a store and what it is; no file where that is a problem.

    A path is relative to the current folder, as Java takes it.
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
        findings.problems.append(f"{key}: the file is no store: neither PEM, nor JKS, nor PKCS12")
        return None, ""
    if declared and (declared == PEM) != (kind == PEM):
        findings.problems.append(
            f"{key}: the file is {kind}, and {store}.type does not say so: correct the type"
        )
        return None, ""
    return path, kind


def _cannot_be_read(row: Row, path: Path, error: Exception) -> str:
    why = getattr(error, "strerror", None) or "it has a character that no path has"
    # A value of several lines may have more in it than a path.
    is_path = row.lines == 1 and "=" not in row.value and row.value.isprintable()
    shown = str(path) if is_path else f"the file of line {row.line}"
    if row.has_escapes and "\\" not in row.value:
        shown += ", in which a backslash escaped what follows it (write / or \\\\),"
    return f"{row.key}: {shown} cannot be read ({why})"


def _keytool() -> str:
    """Java's tool, which comes with the Java that runs Kafka here."""
    if shutil.which("keytool"):
        return "keytool"
    try:
        return shlex.quote(str(find_java().executable.with_name("keytool")))
    except NoJava:
        return "keytool"
