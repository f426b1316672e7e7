"""Translate the credentials of a client: from Java's sasl.* to librdkafka's.

Each option of sasl.jaas.config is used, refused by its name, or, if it has no effect in Java
either, named as left out. Sources: Apache Kafka's security documentation and login modules,
Strimzi's documentation of its OAuth library, and librdkafka's CONFIGURATION.md.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Collection, Mapping

from kafkalab.brokers import jaas
from kafkalab.brokers.jaas import BadJaas, LoginModule
from kafkalab.brokers.java_properties import Findings, Row, nearest
from kafkalab.librdkafka import librdkafka_defaults

PLAIN, OAUTH, KERBEROS = "PLAIN", "OAUTHBEARER", "GSSAPI"
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")

LOGIN_MODULES: Mapping[str, str] = {
    "PLAIN": "PlainLoginModule",
    "SCRAM-SHA-256": "ScramLoginModule",
    "SCRAM-SHA-512": "ScramLoginModule",
}
"""for each mechanism with a password: its Java login module"""

MSK_IAM = "AWS_MSK_IAM"

OAUTH_PREFIX = "sasl.oauthbearer."
LOGIN_HANDLER = "sasl.login.callback.handler.class"
JAVA_OAUTH = "org.apache.kafka.common.security.oauthbearer."
# The second is the class's name before Kafka 4.0.
OIDC_HANDLERS = (
    f"{JAVA_OAUTH}OAuthBearerLoginCallbackHandler",
    f"{JAVA_OAUTH}secured.OAuthBearerLoginCallbackHandler",
)
STRIMZI_HANDLER = "io.strimzi.kafka.oauth.client.JaasClientOauthLoginCallbackHandler"

RETRIEVERS = (f"{JAVA_OAUTH}DefaultJwtRetriever", f"{JAVA_OAUTH}ClientCredentialsJwtRetriever")
BEARER_RETRIEVER = f"{JAVA_OAUTH}JwtBearerJwtRetriever"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_URL = f"{OAUTH_PREFIX}token.endpoint.url"
URL_ENCODE = f"{OAUTH_PREFIX}header.urlencode"
RETRIEVER = f"{OAUTH_PREFIX}jwt.retriever.class"
OWN_WORDS = frozenset({f"{OAUTH_PREFIX}method", "enable.sasl.oauthbearer.unsecure.jwt"})
JAVA_HAS_IT_FROM_JAAS: Mapping[str, str] = {
    f"{OAUTH_PREFIX}client.credentials.client.id": "clientId",
    f"{OAUTH_PREFIX}client.credentials.client.secret": "clientSecret",
    f"{OAUTH_PREFIX}scope": "scope",
}
"""properties of Java that were options of sasl.jaas.config before Kafka 4.1"""

OIDC = (
    "where the cluster takes tokens for client credentials, say "
    f"{OAUTH_PREFIX}method=oidc, {TOKEN_URL}, {OAUTH_PREFIX}client.id and "
    f"{OAUTH_PREFIX}client.secret"
)

NO_MODULE = LoginModule("", {})

NO_EFFECT: Mapping[str, re.Pattern[str]] = {
    "Krb5LoginModule": re.compile(
        "storeKey|doNotPrompt|debug|isInitiator|refreshKrb5Config|renewTGT|clearPass|storePass"
        "|useFirstPass|tryFirstPass"
    ),
    # Timeouts, metrics, and the name of the client in its own log.
    STRIMZI_HANDLER: re.compile(
        r"oauth\.(?:(?:connect|read)\.timeout\.seconds|http\.retr.*|enable\.metrics|config\.id"
        r"|(?:fallback\.)?username\.(?:claim|prefix)|force\.jsonpath\.username\.extraction"
        r"|max\.token\.expiry\.seconds|include\.accept\.header)"
    ),
}
"""options without influence on authentication"""

HANDLED = frozenset(
    {
        *("sasl.mechanism", "sasl.mechanisms", "sasl.jaas.config", "sasl.username"),
        *("sasl.password", "sasl.kerberos.kinit.cmd", LOGIN_HANDLER),
        *("sasl.client.callback.handler.class", "sasl.login.class", URL_ENCODE, RETRIEVER),
        *JAVA_HAS_IT_FROM_JAAS,
    }
)
"""the properties that `log_in` handles"""


def mechanism_of(given: Mapping[str, Row]) -> tuple[str, str]:
    """The SASL mechanism that properties name, and a problem with it; either may be "".

    Args:
        given: all properties by their keys, of a client that speaks SASL.
    """
    named = {
        given[key].value.upper() for key in ("sasl.mechanism", "sasl.mechanisms") if key in given
    }
    if len(named) > 1:
        return "", "sasl.mechanism contradicts sasl.mechanisms"
    mechanism = "".join(named)
    prefix = "" if mechanism else f"sasl.mechanism is missing, and by default it is {KERBEROS}: "
    mechanism = mechanism or KERBEROS
    if mechanism in (PLAIN, OAUTH, *SCRAM):
        return mechanism, ""
    if mechanism == KERBEROS:
        if "sasl_gssapi" in librdkafka_defaults()["builtin.features"].split(","):
            return mechanism, ""
        return "", (
            f"{prefix}{KERBEROS} (Kerberos) is not in the librdkafka of confluent-kafka's wheel "
            "for this system, only in the one for macOS: use a user of SCRAM, PLAIN or "
            "OAUTHBEARER, or a certificate with security.protocol=SSL"
        )
    if mechanism == MSK_IAM:
        return "", (
            f"sasl.mechanism={MSK_IAM} is Java code of AWS, and librdkafka does not have it: "
            "use a SCRAM-SHA-512 user of the cluster (port 9096 of MSK), or a certificate with "
            "security.protocol=SSL (port 9094)"
        )
    return "", (
        f"sasl.mechanism is none of librdkafka's: {', '.join((PLAIN, *SCRAM, OAUTH, KERBEROS))}"
    )


def log_in(given: Mapping[str, Row], mechanism: str) -> Findings:
    """The properties that librdkafka needs to log in.

    Args:
        given: all properties by their keys, of a client that speaks SASL.
        mechanism: the result of `mechanism_of`.
    """
    findings = Findings(found={"sasl.mechanism": mechanism})
    foreign = ["sasl.client.callback.handler.class", "sasl.login.class"]
    if mechanism != OAUTH:
        foreign.append(LOGIN_HANDLER)
    findings.problems += [
        f"{key} cannot be translated: it is Java code" for key in foreign if key in given
    ]
    module = None
    if "sasl.jaas.config" in given:
        try:
            module = jaas.parse(given["sasl.jaas.config"].value)
        except BadJaas as error:
            line = given["sasl.jaas.config"].line
            findings.problems.append(f"sasl.jaas.config (line {line}) {error}")
            return findings
    if mechanism == OAUTH:
        _log_in_by_token(given, module, findings)
    elif mechanism == KERBEROS:
        _log_in_by_ticket(given, module, findings)
    else:
        _log_in_by_password(given, mechanism, module, findings)
    return findings


def _log_in_by_password(
    given: Mapping[str, Row], mechanism: str, module: LoginModule | None, findings: Findings
) -> None:
    own = {key: given[key].value for key in ("sasl.username", "sasl.password") if key in given}
    if module and own:
        findings.problems.append(f"sasl.jaas.config contradicts {', '.join(own)}: keep one")
        return
    if module:
        # For PLAIN, Java only takes the credentials from the module, so any module will do.
        modules = set(LOGIN_MODULES.values()) if mechanism == PLAIN else {LOGIN_MODULES[mechanism]}
        if module.name not in modules:
            findings.problems.append(
                f"sasl.jaas.config with {_called(module)} contradicts {mechanism}"
                if module.name in LOGIN_MODULES.values()
                else f"sasl.jaas.config with {_called(module)} cannot be translated: for "
                f"{mechanism} say sasl.username and sasl.password"
            )
            return
        options = dict(module.options)
        own = {
            f"sasl.{key}": options.pop(key) for key in ("username", "password") if key in options
        }
        token = options.pop("tokenauth", None)
        if mechanism in SCRAM and token is not None and token.lower() == "true":
            findings.problems.append(
                "tokenauth=true of sasl.jaas.config means a delegation token, and librdkafka has "
                "none: give the name and password of a user of the cluster"
            )
            return
        if token is not None:
            findings.left_out.append(_option(module, "tokenauth"))
        _leave_out_rest(module, options, ("username", "password", "tokenauth"), findings)
    findings.found |= own
    missing = {"sasl.username", "sasl.password"} - {key for key in own if own[key]}
    if missing and not findings.problems:
        findings.problems.append(
            f"{mechanism} needs a username and a password: give sasl.jaas.config, or "
            f"{' and '.join(sorted(missing))}"
        )


def _log_in_by_ticket(
    given: Mapping[str, Row], module: LoginModule | None, findings: Findings
) -> None:
    kinit = given.get("sasl.kerberos.kinit.cmd")
    if kinit and "%{" in kinit.value:
        findings.found["sasl.kerberos.kinit.cmd"] = kinit.value
    elif kinit:
        # In Java this is the path of a program, in librdkafka a shell command.
        findings.left_out.append("sasl.kerberos.kinit.cmd")
    if module is None:
        return
    if module.name != "Krb5LoginModule":
        findings.problems.append(
            f"sasl.jaas.config with {_called(module)} cannot be translated: for {KERBEROS} say "
            "sasl.kerberos.keytab and sasl.kerberos.principal"
        )
        return
    options = dict(module.options)
    service, principal = options.pop("serviceName", ""), options.pop("principal", "")
    key_table = options.pop("keyTab", "")
    if service and "sasl.kerberos.service.name" not in given:
        findings.found["sasl.kerberos.service.name"] = service
    if principal:
        findings.found["sasl.kerberos.principal"] = principal
    if options.pop("useKeyTab", "").lower() == "true":
        findings.found["sasl.kerberos.keytab"] = key_table.removeprefix("file:")
    else:
        # librdkafka asks for no ticket: it uses the one in the ticket cache.
        findings.found["sasl.kerberos.min.time.before.relogin"] = "0"
        findings.left_out += [_option(module, "keyTab")] if key_table else []
    options.pop("useTicketCache", None)
    _refuse_rest(module, options, NO_EFFECT["Krb5LoginModule"], findings)


def _log_in_by_token(
    given: Mapping[str, Row], module: LoginModule | None, findings: Findings
) -> None:
    handler = _value(given, LOGIN_HANDLER, "")
    unused = {URL_ENCODE, RETRIEVER, *JAVA_HAS_IT_FROM_JAAS}
    if OWN_WORDS & set(given):
        # If the file uses librdkafka's own properties, they count, and not Java's.
        unused = {URL_ENCODE, RETRIEVER, "sasl.jaas.config", LOGIN_HANDLER}
        for key in JAVA_HAS_IT_FROM_JAAS:
            if key in given:
                findings.found[_renamed(key)] = given[key].value
    elif module and module.name != "OAuthBearerLoginModule":
        findings.problems.append(
            f"sasl.jaas.config with {_called(module)} cannot be translated: {OIDC}"
        )
    elif handler == STRIMZI_HANDLER:
        _ask_like_strimzi(given, module or NO_MODULE, findings)
    elif handler in OIDC_HANDLERS or (not handler and TOKEN_URL in given):
        unused = set()
        _ask_like_java(given, module or NO_MODULE, findings)
    elif handler:
        findings.problems.append(f"{LOGIN_HANDLER} is Java code: {OIDC}")
    else:
        _sign_nothing(module or NO_MODULE, findings)
    findings.left_out += unused & set(given)


def _ask_like_java(given: Mapping[str, Row], module: LoginModule, findings: Findings) -> None:
    """OpenID Connect as Java's own handler does it (KIP-768, KIP-1139)."""
    retriever = _value(given, RETRIEVER, RETRIEVERS[0])
    if retriever not in (*RETRIEVERS, BEARER_RETRIEVER):
        findings.problems.append(f"{RETRIEVER} is Java code: {OIDC}")
        return
    # A client that signs an assertion has no secret; then Java takes no scope from JAAS.
    is_signed = retriever == BEARER_RETRIEVER
    options, values = dict(module.options), {}
    for key, option in JAVA_HAS_IT_FROM_JAAS.items():
        in_jaas = options.pop(option, "")
        values[option] = given[key].value if key in given else in_jaas
        if option in module.options and (is_signed or key in given):
            findings.left_out.append(_option(module, option))
    url = _value(given, TOKEN_URL, "")
    if not url.lower().startswith(("http://", "https://")):
        findings.problems.append(
            f"{TOKEN_URL} must be the address, beginning with https://, at which librdkafka asks "
            "for a token: it does not read a token from a file"
        )
    findings.found[f"{OAUTH_PREFIX}method"] = "oidc"
    if is_signed:
        findings.found[f"{OAUTH_PREFIX}grant.type"] = JWT_BEARER
        scope = f"{OAUTH_PREFIX}scope"
        findings.found |= {scope: given[scope].value} if scope in given else {}
        findings.left_out += (set(JAVA_HAS_IT_FROM_JAAS) - {scope}) & set(given)
    else:
        if {f"{OAUTH_PREFIX}assertion.file", f"{OAUTH_PREFIX}assertion.claim.iss"} & set(given):
            findings.problems.append(
                f"{OAUTH_PREFIX}assertion.* instead of a secret does not exist in librdkafka: give "
                f"{OAUTH_PREFIX}client.secret, or {RETRIEVER}={BEARER_RETRIEVER}"
            )
        is_encoded = _value(given, URL_ENCODE, "").lower() == "true"
        _buy_token(given, values, is_encoded, findings)
    _extend(options, "extension_", findings)
    _trust_the_issuer(given, module, options, "ssl.", findings)
    _leave_out_rest(module, options, tuple(JAVA_HAS_IT_FROM_JAAS.values()), findings)


def _ask_like_strimzi(given: Mapping[str, Row], module: LoginModule, findings: Findings) -> None:
    """Client credentials as Strimzi's library sends them."""
    options = dict(module.options)
    values = {
        "clientId": options.pop("oauth.client.id", ""),
        "clientSecret": options.pop("oauth.client.secret", ""),
        "scope": options.pop("oauth.scope", ""),
    }
    findings.found[f"{OAUTH_PREFIX}method"] = "oidc"
    url = options.pop("oauth.token.endpoint.uri", "")
    if not url:
        findings.problems.append("oauth.token.endpoint.uri of sasl.jaas.config is missing")
    findings.found[TOKEN_URL] = url
    _buy_token(given, values, True, findings)
    _extend(options, "oauth.sasl.extension.", findings)
    for option, harmless in (
        ("oauth.client.credentials.grant.type", "client_credentials"),
        ("oauth.access.token.is.jwt", "true"),
        ("oauth.tokens.not.jwt", "false"),
    ):
        if options.get(option, "").lower() == harmless:
            findings.left_out.append(_option(module, option))
            del options[option]
    _trust_the_issuer(given, module, options, "oauth.ssl.", findings)
    _refuse_rest(module, options, NO_EFFECT[STRIMZI_HANDLER], findings)


def _buy_token(
    given: Mapping[str, Row], values: Mapping[str, str], is_encoded: bool, findings: Findings
) -> None:
    """Set the client credentials, encoded as in Java, since librdkafka sends them unchanged."""
    for key, option in JAVA_HAS_IT_FROM_JAAS.items():
        name, value = _renamed(key), values[option]
        if name in given and name != key:
            continue
        if value:
            findings.found[name] = _encoded(value) if is_encoded else value
        elif option != "scope":
            findings.problems.append(
                f"{OAUTH} needs the client's id and secret: give {OAUTH_PREFIX}client.id and "
                f"{OAUTH_PREFIX}client.secret"
            )
            return


def _sign_nothing(module: LoginModule, findings: Findings) -> None:
    """Set up Java's default: an unsigned token, for tests."""
    options = dict(module.options)
    claim = options.pop("unsecuredLoginPrincipalClaimName", "sub")
    principal = options.pop(f"unsecuredLoginStringClaim_{claim}", "")
    words = {
        "principalClaimName": claim,
        "principal": principal,
        "lifeSeconds": options.pop("unsecuredLoginLifetimeSeconds", "3600"),
    }
    for option in [each for each in options if each.startswith("extension_")]:
        words[option] = options.pop(option)
    if not principal:
        findings.problems.append(f"{LOGIN_HANDLER} is missing: {OIDC}")
        return
    if re.search(r"\s", "".join(words.values())):
        findings.problems.append(
            "sasl.jaas.config has blanks in the claims of the token, which librdkafka cannot send"
        )
    findings.found["enable.sasl.oauthbearer.unsecure.jwt"] = "true"
    findings.found[f"{OAUTH_PREFIX}config"] = " ".join(f"{k}={v}" for k, v in words.items())
    _refuse_rest(module, options, re.compile("(?!)"), findings)


def _extend(options: dict[str, str], prefix: str, findings: Findings) -> None:
    extensions = {
        option.removeprefix(prefix): options.pop(option)
        for option in list(options)
        if option.startswith(prefix)
    }
    if extensions:
        # librdkafka's own escapes.
        findings.found[f"{OAUTH_PREFIX}extensions"] = ",".join(
            re.sub(r"([\\,])", r"\\\1", f"{name}={value}") for name, value in extensions.items()
        )


def _trust_the_issuer(
    given: Mapping[str, Row],
    module: LoginModule,
    options: dict[str, str],
    prefix: str,
    findings: Findings,
) -> None:
    """Handle the options for TLS with the token issuer; librdkafka has https.ca.* for it."""
    told = [option for option in options if option.startswith(prefix)]
    titles = [_option(module, option) for option in told]
    for option in told:
        del options[option]
    if {"https.ca.location", "https.ca.pem"} & set(given):
        findings.left_out += titles
    elif told:
        findings.problems.append(
            f"{', '.join(titles)} cannot be translated: add https.ca.location, a file with the "
            "issuer's certificates as PEM"
        )


def _leave_out_rest(
    module: LoginModule, options: Mapping[str, str], known: Collection[str], findings: Findings
) -> None:
    """Name options without effect in Java as left out; refuse likely typing errors."""
    folded = {each.lower(): each for each in known}
    for option in options:
        title = _option(module, option)
        if meant := nearest(option, folded):
            findings.problems.append(f"{title} is unknown (did you mean {folded[meant]}?)")
        else:
            findings.left_out.append(title)


def _refuse_rest(
    module: LoginModule, options: Mapping[str, str], harmless: re.Pattern[str], findings: Findings
) -> None:
    for option in options:
        title = _option(module, option)
        if harmless.fullmatch(option):
            findings.left_out.append(title)
        else:
            findings.problems.append(f"{title} cannot be translated: librdkafka has no such option")


def _encoded(value: str) -> str:
    """The value, URL-encoded as java.net.URLEncoder does it."""
    return urllib.parse.quote_plus(value, safe="*").replace("~", "%7E")


def _called(module: LoginModule) -> str:
    return module.name or "a login module that is not a class name"


def _option(module: LoginModule, option: str) -> str:
    """The name of an option in a message; hidden if it may be part of a secret."""
    name = option if option in module.showable else "an option"
    return f"{name} of sasl.jaas.config"


def _value(given: Mapping[str, Row], key: str, default: str) -> str:
    return given[key].value if key in given else default


def _renamed(key: str) -> str:
    """librdkafka's name of a property, valid in all of its versions."""
    return key.replace("client.credentials.", "")
