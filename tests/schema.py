"""Compares documents with docs/schema-1.json."""

import json
from pathlib import Path
from typing import Any, Dict

SCHEMA = Path(__file__).resolve().parent.parent / "docs/schema-1.json"


def loaded() -> Dict[str, Any]:
    """Return the schema."""
    found: Dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return found


def check(document: Dict[str, Any]) -> None:
    """Raise AssertionError where a document is not as the schema says."""
    import jsonschema

    schema = loaded()
    document = json.loads(json.dumps(document))  # as the reader of the output has it
    if jsonschema.Draft7Validator(schema).is_valid(document):
        return
    # The fault is in one part of the schema; that is compared alone, for a message that names it.
    command = document.get("command")
    part = str(command) if str(command) in schema["definitions"] and "notes" in document else "failed"
    alone = dict(schema, oneOf=[{"$ref": "#/definitions/" + part}])
    faults = ["%s: %s" % ("/".join(str(one) for one in error.path), error.message)
              for fault in jsonschema.Draft7Validator(alone).iter_errors(document) for error in fault.context]
    raise AssertionError("not a document of schema 1 (%s):\n%s" % (part, "\n".join(faults)))


def check_if_possible(document: Dict[str, Any]) -> None:
    """Check a document where the tests run with what a release ships, which need not have jsonschema."""
    try:
        import jsonschema  # noqa: F401
    except ImportError:
        return
    check(document)
