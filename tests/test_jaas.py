"""sasl.jaas.config is read as Java reads it: the table is what Kafka 4.4.0's JaasContext answered.

test_as_java.py asks Java itself, where there is a JDK.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkalab.brokers.jaas import BadJaas, parse

TAKEN = [
    ('M required a="b";', {"a": "b"}),
    ("M required a='b';", {"a": "b"}),
    ("M REQUIRED a = b ;", {"a": "b"}),
    ("M requisite;", {}),
    ('M sufficient a="b"; // the end', {"a": "b"}),
    ('/* before */ M optional // one\n a="b";', {"a": "b"}),
    ("M required a=a-b_c$d.e;", {"a": "a-b_c$d.e"}),
    ('M required a="1" a="2";', {"a": "2"}),
    ('M required a.b.c="x";', {"a.b.c": "x"}),
    ('M required é="ü";', {"é": "ü"}),
    # What is special outside quotes, and the other quotes, are nothing special inside.
    ('M required a="a;b=c d//e";', {"a": "a;b=c d//e"}),
    ("M required a='it\"s';", {"a": 'it"s'}),
    ('M required a="it\'s";', {"a": "it's"}),
    # Escapes: of C, octal ones, and any other sign stands for itself.
    (r'M required a="a\tb\101c\"d\\e\n";', {"a": 'a\tbAc"d\\e\n'}),
    (r'M required a="\a\b\f\r\v\q\8";', {"a": "\a\b\f\r\vq8"}),
    (r'M required a="\7\77\377\400\1234";', {"a": "\7?\xff 0S4"}),
    # A slash begins a comment, two or not, and takes the sign after it along.
    ("M required a=word/rest\n;", {"a": "word"}),
    ("M required a=word//rest\n;", {"a": "word"}),
    ("M required a=word/\nrest\n;", {"a": "word"}),
    # The end of a line ends what is quoted.
    ('M required a="open\n;', {"a": "open"}),
]

REFUSED = [
    ("", "is empty"),
    ("// nothing", "is empty"),
    ("M", "has no `required`"),
    ("M;", "has no `required`"),
    ('M sometimes a="b";', "has no `required`"),
    ('M a="b";', "has no `required`"),
    ("5 required;", "does not begin with a login module"),
    ("M required", "is not complete"),
    ('M required a="b"', "is not complete"),
    ("M required a;", "is not complete"),
    ("M required a=;", "is not complete"),
    ("M required a=5;", "is not complete"),
    ("M required a=1b;", "is not complete"),
    ("M required a=b+c;", "is not complete"),
    ("M required a=b@c;", "is not complete"),
    ("M required a:b;", "is not complete"),
    ("M required a='a''b';", "is not complete"),
    ('M required "a="b";', "is not complete"),
    ('M required a="b" ;;', "does not begin with a login module"),
    ('M required a="b"; N required;', "has 2 login modules, and Java takes one"),
]


@pytest.mark.parametrize(("text", "options"), TAKEN)
def test_what_java_takes(text: str, options: dict[str, str]) -> None:
    """Module, flag and options; quotes, comments and escapes are those of Java's tokenizer."""
    module = parse(text)

    assert module.class_name == "M"
    assert module.options == options


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_what_java_does_not_take(text: str, why: str) -> None:
    """The text says what is wrong."""
    with pytest.raises(BadJaas) as told:
        parse(text)

    assert str(told.value).startswith(why)


@given(st.text(st.sampled_from("M required =\"';\\/*1a-.\n\r\t+"), max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    """Whatever stands there, it is taken or refused, and a refusal has nothing of it."""
    said = ""
    try:
        parse(f'M required password="s3cret" {text}')
    except BadJaas as told:
        said = str(told)
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("text", "showable"),
    [
        ('M required tokenauth="true" oauth.client.id="x";', {"tokenauth", "oauth.client.id"}),
        ('M required password="s3"cret="x";', {"password"}),
        ('M required "quoted"="x" x7="y" ab="z";', set()),
    ],
)
def test_options_that_may_be_shown(text: str, showable: set[str]) -> None:
    """Not what may be a part of a password with quotation marks in it."""
    assert parse(text).showable == showable


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("org.apache.kafka.common.security.plain.PlainLoginModule required;", "PlainLoginModule"),
        ("shaded.org.apache.PlainLoginModule required;", "PlainLoginModule"),
        ("s3cret required;", ""),
        ("'a secret' required;", ""),
    ],
)
def test_the_name_of_a_login_module(text: str, name: str) -> None:
    """Its class without the package; nothing where it is not written like a class."""
    assert parse(text).name == name
