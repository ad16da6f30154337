"""Every document that a test has printed is compared with the schema."""

import pytest

from foreman_selinux_helpers import cli

from .. import schema


@pytest.fixture(autouse=True)
def _documents_are_as_the_schema_says(monkeypatch):
    printed = cli.Output.document

    def document(self, content):
        schema.check(content)
        printed(self, content)
    monkeypatch.setattr(cli.Output, "document", document)
