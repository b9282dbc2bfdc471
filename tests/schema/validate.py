"""What the daemon sends, held against the JSON schemas beside this file.

    validate_result("presence.get", answer["result"], permissions)
    validate_error(answer["error"])
    validate_notification(message["method"], message["params"], permissions)

Each raises ProtocolError, an AssertionError that says where and why, and returns nothing. `permissions` are those that
server.info has told. A method or a notification without a schema is undocumented, and so an error.
Needs only Debian's python3-jsonschema.

SPDX-License-Identifier: MIT
"""

import functools
import json
import pathlib

import jsonschema
from jsonschema.exceptions import best_match

FOLDER = pathlib.Path(__file__).resolve().parent

# Who lacks the permission must not find the field anywhere: the end of its path (places in lists do not count).
FIELDS_THAT_NEED = (
    (("calls",), "calls"),
    (("forward", "target"), "calls"),
    (("addresses",), "admin"),
    (("origins",), "admin"),
)
# Objects with names that are not ours.
NOT_LOOKED_INTO = frozenset({"details", "addresses"})


class ProtocolError(AssertionError):
    """Something was sent that presenced-protocol(7) does not allow."""


def validate_result(method, result, permissions):
    """The `result` of an answer to `method`, sent to a connection that has these permissions."""
    _validate(f"{method}.result.json", result)
    check_permissions(result, permissions)


def validate_notification(name, params, permissions=None):
    """The `params` of a notification; with `permissions`, also that it shows nothing that they do not cover."""
    _validate(f"{name}.notification.json", params)
    if permissions is not None:
        check_permissions(params, permissions)


def validate_error(error):
    """The `error` of an answer."""
    _validate("defs.json#/definitions/error", error)


def check_permissions(document, permissions):
    """No field of `document` needs a permission that is not among `permissions`."""
    for path in _paths(document):
        for end, permission in FIELDS_THAT_NEED:
            if permission not in permissions and path[-len(end) :] == end:
                raise ProtocolError(f"{'.'.join(path)} is shown without permission {permission}")


def schema_files():
    """The names of all schema files."""
    return sorted(path.name for path in FOLDER.glob("*.json"))


@functools.lru_cache(maxsize=None)
def load(name):
    """One schema file, parsed."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=None)
def _validator(reference):
    name = reference.partition("#")[0]
    if not (FOLDER / name).is_file():
        raise ProtocolError(f"there is no schema {name}: not documented")
    base = f"{FOLDER.as_uri()}/"
    store = {base + other: load(other) for other in schema_files()}
    resolver = jsonschema.RefResolver(base, {}, store=store)
    return jsonschema.Draft7Validator({"$ref": reference}, resolver=resolver)


def _validate(reference, document):
    error = best_match(_validator(reference).iter_errors(document))
    if error is not None:
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
        raise ProtocolError(f"{reference.partition('#')[0]}: {where or 'the whole'}: {error.message}")


def _paths(value, path=()):
    """The path of every member of every object in `value`."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield path + (key,)
            if key not in NOT_LOOKED_INTO:
                yield from _paths(member, path + (key,))
    elif isinstance(value, list):
        for member in value:
            yield from _paths(member, path)
