"""The manual pages and the completion say what the command takes: neither more nor less."""

import argparse
import os
import re
import subprocess
from pathlib import Path

import pytest

from foreman_selinux_helpers import cli, options
from foreman_selinux_helpers import verbs as known
from foreman_selinux_helpers.doors import profilefiles
from foreman_selinux_helpers.doors.deadline import DEFAULT_SECONDS
from foreman_selinux_helpers.lint import codes as lintcodes
from foreman_selinux_helpers.model import causes, errors, guards, profiles, refresh

TOP = Path(__file__).resolve().parent.parent.parent
COMMAND, PROFILES, PROBLEM = (TOP / "docs/man" / name for name in (
    "foreman-selinux-helpers.8.rst", "foreman-selinux-profiles.5.rst", "foreman-selinux-helpers.7.rst"))
COMPLETION = TOP / "completions/foreman-selinux-helpers"


def section(page, title):
    """Return a section of a page."""
    text = page.read_text(encoding="utf-8")
    return re.search(r"^%s\n=+\n(.*?)(?=^[A-Z][A-Z '0-9]+\n=+$|\Z)" % title, text, re.M | re.S).group(1)


def terms(text):
    """Return the terms of a list of definitions: the lines that one is indented below."""
    return re.findall(r"^(?! )(.+)\n    \S", text, re.M)


def actions(parser):
    """Return the options and the positional arguments of a parser."""
    return [one for one in parser._actions if not isinstance(one, argparse._SubParsersAction)]


def verbs():
    """Return the parsers by verb."""
    (found,) = [one for one in options.parser(None, print)._actions if isinstance(one, argparse._SubParsersAction)]
    assert tuple(found.choices) == known.NAMES
    return {verb: options.parser(verb, print) for verb in known.NAMES}


def own(parser):
    """Return what a verb takes beside the options of all verbs, all of which it takes."""
    common = {tuple(one.option_strings) for one in actions(options.parser(None, print))}
    assert common <= {tuple(one.option_strings) for one in actions(parser)}
    return [one for one in actions(parser) if tuple(one.option_strings) not in common]


def as_written(option):
    """Return how the manual writes what a verb takes."""
    if option.option_strings:
        return "[**%s**%s]" % (option.option_strings[-1], " *%s*" % option.metavar if option.nargs != 0 else "")
    name = "*%s*" % option.metavar
    return {None: name, "+": name + " ...", "*": "[%s ...]" % name}[option.nargs]


def test_every_verb_with_all_that_it_takes():
    written = {line.split("**")[1]: line for line in terms(section(COMMAND, "VERBS"))}
    assert set(written) == set(verbs())
    for verb, parser in verbs().items():
        taken = sorted(own(parser),
                       key=lambda one: (bool(one.option_strings), one.dest != "kind"))
        assert written[verb] == " ".join(["**%s**" % verb] + [as_written(one) for one in taken])


def test_readme_has_every_verb():
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    table = readme.split("\n| verb | does |\n", 1)[1].split("\n\n", 1)[0]
    cells = [line.split(" | ")[0] for line in table.split("\n")[1:]]
    assert sorted(word for cell in cells for word in re.findall(r"`([a-z]+)", cell)) == sorted(verbs())


def test_every_option_and_choice():
    written = section(COMMAND, "OPTIONS")
    documented = re.findall(r"^(-\S.*)$", written, re.M)
    every = actions(options.parser(None, print)) + [one for parser in verbs().values() for one in actions(parser)]
    expected = {", ".join(one.option_strings) + (" " + one.metavar if one.nargs != 0 else "")
                for one in every if one.option_strings}
    assert sorted(documented) == sorted(expected)
    flat = " ".join(written.split()).replace('"', "")
    for one in every:
        if one.choices:
            assert ": " + ", ".join(one.choices) + "." in flat
    assert "%g unless told" % DEFAULT_SECONDS in flat
    for verb, parser in verbs().items():
        if any("--dry-run" in one.option_strings for one in actions(parser)):
            assert "**%s**" % verb in re.search(r"--dry-run\n((?:    .*\n)+)", written).group(1)


def test_exit_statuses_environment_and_guards():
    assert terms(section(COMMAND, "EXIT STATUS"))[:-1] == [str(one) for one in (
        cli.OK, cli.WRONG, cli.USAGE, cli.NEEDS_ROOT, cli.REFUSED)]
    assert errors.NeedsRoot("").exit_status == cli.NEEDS_ROOT
    from foreman_selinux_helpers.sources.hostkind import HEEDED

    named = set(re.findall(r"\*\*([A-Z_]+)\*\*", "\n".join(terms(section(COMMAND, "ENVIRONMENT")))))
    assert named == {*HEEDED, *cli._TERMINAL}
    text = section(COMMAND, "GUARDS")
    names = {value for name, value in vars(guards).items() if name.isupper() and isinstance(value, str)}
    assert names >= {name for name, _ in guards.GUARDS}
    assert {name for name in names if name not in text} == set()


def test_keys_of_a_profile():
    assert {one.strip("*") for one in terms(section(PROFILES, "KEYS"))} == set(profiles._KEYS)
    assert set(profiles.RESTARTS) <= set(re.findall(r"\*\*(\w+)\*\*", section(PROFILES, "KEYS")))
    for directory in (profilefiles.VENDOR_DIR, profilefiles.ADMIN_DIR):
        assert "/" + directory in section(PROFILES, "SYNOPSIS")
        assert "/" + directory in section(COMMAND, "FILES")


def test_a_profile_of_the_manual_is_one():
    text = PROFILES.read_text(encoding="utf-8")
    found = re.findall(r"::\n\n((?:    .*\n)+)", text)
    written = [re.sub(r"^    ", "", one, flags=re.M) for one in found if "[" in one]
    assert len(written) == 2
    for one in written:
        sections = profiles.parse(one, "manual")
        assert sections[0].type
    assert profiles.parse(written[1], "manual")[0].paths == (
        "/run/bar/api.sock", "/run/bar/content.sock")


def test_causes_and_behaviours():
    assert set(terms(section(PROBLEM, "CAUSES"))) == {cause.name for cause in causes.CAUSES}
    assert {one.strip("*") for one in terms(section(PROBLEM, "WHEN SYSTEMD RENEWS ITS LABEL CACHE"))} == {
        refresh.NEVER, refresh.ON_DAEMON_RELOAD, refresh.ON_POLICY_LOAD, refresh.UNKNOWN}


def test_lint_codes_and_severities():
    expected = {code.name: code.severity for code in lintcodes.CODES}
    assert dict(re.match(r"(\S+) \((\w+)\)$", one).groups() for one in terms(section(COMMAND, "LINT CODES"))) == expected
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z`, -]+`) \| (error|warning) \|", readme, re.M)
    assert {code: severity for codes, severity in rows for code in re.findall("`([a-z-]+)`", codes)} == expected


# -- the completion ----------------------------------------------------------------------------


def complete(*words):
    """Return what a real bash offers for the last word."""
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _foreman_selinux_helpers; printf "%s\\n" "${COMPREPLY[@]}"'
    out = subprocess.check_output(["bash", "--norc", "-c", script, "bash", str(COMPLETION), cli.PROGRAM, *words],
                                  stdin=subprocess.DEVNULL, universal_newlines=True)
    return [one for one in out.split("\n") if one]


def test_verbs_and_options_are_offered():
    assert set(complete("")) == set(verbs())
    top = {name for one in actions(options.parser(None, print)) for name in one.option_strings}
    assert set(complete("-")) == top
    assert set(complete("--json", "--root", "/", "--timeout", "5", "")) == set(verbs())
    assert set(complete("--target", "el7", "--as", "")) == {"socket", "file", "directory", "symlink", "pipe"}
    assert complete("--client", "httpd_t", "--units", "/", "lin") == ["lint"]
    for verb, parser in verbs().items():
        assert set(complete(verb, "--json", "--root", "/", "-")) == set(complete(verb, "-"))
        assert set(complete("--quiet", verb, "-")) == {name for one in actions(parser) for name in one.option_strings}, verb


@pytest.mark.parametrize(("verb", "option"), [("lint", "--target"), ("explain", "--as")])
def test_choices_are_offered(verb, option):
    (action,) = [one for one in actions(verbs()[verb]) if option in one.option_strings]
    assert complete(verb, option, "") == [one for one in action.choices if " " not in one]


def test_paths_are_offered(tmp_path):
    (tmp_path / "with space").mkdir()
    (tmp_path / "file.fc").write_text("")
    begin = str(tmp_path) + "/"
    assert sorted(complete("lint", begin)) == [begin + "file.fc", begin + "with space"]
    assert complete("lint", "--units", begin) == complete("--root", begin) == [begin + "with space"]
    assert complete("explain", "--client", "") == complete("--timeout", "") == []


def test_names_are_those_of_profiles(tmp_path):
    """In a copy whose directories are elsewhere."""
    vendor, admin = tmp_path / "vendor", tmp_path / "admin"
    for directory in (vendor, admin):
        directory.mkdir()
    (vendor / "foo.conf").write_text("[foo.socket]\ntype = foo_t\n[foo-b.socket]\ntype = foo_t\n")
    os.symlink("/dev/null", str(admin / "masked.conf"))
    text = COMPLETION.read_text().replace("/usr/share/foreman-selinux-helpers/profiles.d", str(vendor)).replace(
        "/etc/foreman-selinux-helpers/profiles.d", str(admin))
    copy = tmp_path / "completion"
    copy.write_text(text)
    script = 'source "$1"; COMP_WORDS=(x "$2" ""); COMP_CWORD=2; _foreman_selinux_helpers; echo "${COMPREPLY[*]}"'
    for verb, offered in (("repair", "foo foo.socket foo-b.socket"), ("restart", "foo.socket foo-b.socket")):
        assert subprocess.check_output(["bash", "--norc", "-c", script, "bash", str(copy), verb],
                                       universal_newlines=True).strip() == offered
