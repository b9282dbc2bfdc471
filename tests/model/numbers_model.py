"""How telephone numbers are compared, stated a second time.

This is `presenced rules`, section 5 "Numbers", written from the rules alone and
independently of the program, so that the tests can hold one against the other.
It is meant to be read beside the rules: slow, literal, in the same order.
"""

import string

SCHEMES = ("sip:", "sips:", "tel:")
SEPARATORS = " \t-.()/"


def equal(a, b, numbers=None):
    """Do two texts name the same telephone, under the `numbers:` mapping?"""
    a = bare_address(a)
    b = bare_address(b)
    if is_name(a) or is_name(b):
        return is_name(a) and is_name(b) and equal_names(a, b)
    return equal_digits(normal_form(a, numbers or {}), normal_form(b, numbers or {}), numbers or {})


# (1) the inside of <>; drop the scheme; cut at the first ; or ?

def bare_address(text):
    if "<" in text:
        text = text.split("<", 1)[1].split(">", 1)[0]
    text = without_scheme(text.strip(" \t"))
    for end in ";?":
        text = text.split(end, 1)[0]
    return text.strip(" \t")


def without_scheme(text):
    # A URI's scheme is compared ignoring case (RFC 3986, 3.1).
    for scheme in SCHEMES:
        if text.lower().startswith(scheme):
            return text[len(scheme):]
    return text


# (2) letters before the @ make it a name

def is_name(address):
    return any(c in string.ascii_letters for c in address.split("@", 1)[0])


def equal_names(a, b):
    name_a, _, host_a = a.lower().partition("@")
    name_b, _, host_b = b.lower().partition("@")
    both_have_a_host = host_a and host_b
    return name_a == name_b and (not both_have_a_host or host_a == host_b)


# (3) to (5): a number's normal form

def normal_form(address, numbers):
    number = address.split("@", 1)[0]
    number = "".join(c for c in number if c not in SEPARATORS)
    return with_country(without_outside_prefix(number, numbers), numbers)


def without_outside_prefix(number, numbers):
    for prefix in numbers.get("outside", []):
        rest = number.removeprefix(prefix)
        if rest != number and count_digits(rest) > extension_digits(numbers):
            return rest  # one prefix, once
    return number


def with_country(number, numbers):
    international = numbers.get("international")
    national = numbers.get("national")
    country = numbers.get("country")
    if international and number.startswith(international):
        return "+" + number.removeprefix(international)
    if national and country and number.startswith(national):
        return "+" + country + number.removeprefix(national)
    return number


# (6) equal strings, or an extension and the number that a did rule maps to it

def equal_digits(a, b, numbers):
    if not a or not b:
        return False  # nothing left to compare: no number, equal to none
    return a == b or is_extension_of(a, b, numbers) or is_extension_of(b, a, numbers)


def is_extension_of(short, long, numbers):
    if count_digits(short) > extension_digits(numbers) or len(short) >= len(long):
        return False
    return any(long.startswith(rule["prefix"]) and long[-rule["keep"]:] == short
               for rule in numbers.get("did", []))


def extension_digits(numbers):
    return numbers.get("extension_digits", 0)


def count_digits(text):
    return sum(c in string.digits for c in text)
