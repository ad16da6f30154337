"""Parse the ``.fc`` file of a policy module as its author writes it, before m4 processes it.  Pure.

Of m4, only what determines the rules is implemented: quotes, comments, ``dnl``, and the conditionals of the reference
policy, of which both branches are kept.  ``gen_context(...)`` is kept as it is written (refpolicy
``policy/support/misc_macros.spt``).
"""

import re
from bisect import bisect_right

from ..model.typed import FrozenSet, Iterator, List, Optional, Sequence, Tuple, Value

# The tokens of m4: newline, quote, comment, name (with the parenthesis that makes it a call), other text.
_PIECE = re.compile(r"\n|`|#|\w+\(?|[^\n`#\w]+", re.ASCII)
# A rule without quotes, comments and calls other than gen_context; most rules are, and this is faster.
_SIMPLE = re.compile(
    r"[ \t\r]*(?!dnl\b)(?P<regex>/[^\s`'#]*)(?:[ \t]+(?P<type>--?[a-z-]?))?"
    r"[ \t]+(?P<context>gen_context\([^\s`'#(),]*(?:,[ \t]*[^\s`'#(),]*)*\)|<<none>>)[ \t\r]*(?:\n|\Z)")
_BLANK = re.compile(r"(?:[ \t\r]*(?:#[^\n]*)?\n)+")
_CONDITIONALS = ("ifdef", "ifndef", "ifelse", "optional_policy", "tunable_policy")
# Names that the policy tools, not m4, replace with each user's home directory.
_TEMPLATES = ("HOME_DIR", "HOME_ROOT", "USER")
_DEEPEST = 40


class Condition(Value):
    """A condition of a rule: that an m4 name is defined (``holds``) or not defined."""

    name: str
    holds: bool


Conditions = FrozenSet[Condition]


class SourceRule(Value):
    """One rule as it is written; ``file_type`` and ``context`` may be invalid, ``context`` may be empty.

    ``quoted``: it had m4 quotes (around a word that is also a macro of m4).
    """

    line: int
    regex: str
    file_type: str
    context: str
    conditions: Conditions = frozenset()
    quoted: bool = False


class Problem(Value):
    """The error from which on a file cannot be parsed."""

    line: int
    reason: str


class Source(Value):
    """The rules of a file, up to the first error."""

    rules: Sequence[SourceRule]
    problem: Optional[Problem] = None


def parse(text: str) -> Source:
    """Parse the text of an ``.fc`` file."""
    reader = _Reader(text)
    try:
        reader.walk(0, len(text), frozenset())
    except _Unreadable as error:
        return Source(reader.rules, Problem(reader.line(error.position), error.reason))
    return Source(reader.rules)


class _Unreadable(Exception):
    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


class _Reader:
    def __init__(self, text: str) -> None:
        self.rules: List[SourceRule] = []
        self._text = text
        self._newlines = [newline.start() for newline in re.finditer("\n", text)]

    def line(self, position: int) -> int:
        return bisect_right(self._newlines, position - 1) + 1

    def walk(self, position: int, end: int, conditions: Conditions, depth: int = 0) -> None:
        """Parse the rules between two positions; a line in which a macro begins belongs to the macro."""
        if depth > _DEEPEST:
            raise _Unreadable(position, "conditionals are nested deeper than %d" % _DEEPEST)
        written: List[str] = []  # the pieces of the current line
        begin, blank, quoted = position, True, False  # where it begins, and what it contains so far
        while position < end:
            if not written:
                position = self._simple_rules(position, end, conditions)
                begin, blank, quoted = position, True, False
                if position >= end:
                    break
            match = _PIECE.match(self._text, position, end)
            start, position = position, match.end() if match else end
            piece = self._text[start:position]
            if piece == "\n":
                self._rule(begin, written, conditions, quoted)
                continue
            if piece == "dnl":
                stop = self._end_of_line(position, end)
                if not blank and self._text[stop:self._end_of_line(stop + 1, end)].strip():
                    written.append(self._text[start:stop])  # it joins the next line to this one, which is an error
                position = min(stop + 1, end)
                self._rule(begin, written, conditions, quoted)
                continue
            if piece == "#" and (blank or written[-1][-1:].isspace()):
                # m4 keeps a comment, which is harmless only on a line of its own.
                position = self._end_of_line(position, end)
                piece = "" if blank else self._text[start:position]
            elif piece == "`":
                inside, position = self._quoted(start, end)
                piece, quoted = self._text[start + 1:inside], True
                if blank and "\n" in piece:
                    self.walk(start + 1, inside, conditions, depth + 1)
                    piece = ""
            elif piece == "gen_context(":
                position = self._one_line_call(start, end)
                piece = self._text[start:position]
            elif blank and piece.endswith("(") and piece[0] not in "0123456789(" and piece[:-1] not in _TEMPLATES:
                arguments, position = self._arguments(position, end, start)
                for branch, more in _branches(piece[:-1], [self._text[a:b] for a, b in arguments], self.line(start)):
                    self.walk(*arguments[branch], conditions | more, depth + 1)
                piece = ""
            elif blank and piece.startswith("'"):
                raise _Unreadable(start, "this ' closes no quote: what came before it is missing, or an apostrophe"
                                         " in a comment has closed the quote too early")
            if blank and piece.strip():
                begin, blank = start, False
            written.append(piece)
        self._rule(begin, written, conditions, quoted)

    def _simple_rules(self, position: int, end: int, conditions: Conditions) -> int:
        """Parse empty lines and rules without macros; return where the first other line begins."""
        while True:
            nothing = _BLANK.match(self._text, position, end)
            position = nothing.end() if nothing else position
            simple = _SIMPLE.match(self._text, position, end)
            if not simple:
                return position
            self.rules.append(SourceRule(self.line(position), simple.group("regex"), simple.group("type") or "",
                                         simple.group("context"), conditions))
            position = simple.end()

    def _rule(self, begin: int, written: List[str], conditions: Conditions, quoted: bool) -> None:
        words = "".join(written).split(None, 2)
        del written[:]
        if not words:
            return
        file_type = words.pop(1) if len(words) > 1 and words[1].startswith("-") else ""
        self.rules.append(SourceRule(self.line(begin), words[0], file_type, " ".join(words[1:]).rstrip(), conditions,
                                     quoted))

    def _end_of_line(self, position: int, end: int) -> int:
        newline = self._text.find("\n", position, end)
        return end if newline < 0 else newline

    def _quoted(self, start: int, end: int) -> Tuple[int, int]:
        """Return where the quoted text that begins here ends, without and with its closing quote."""
        depth = 0
        for quote in re.compile("[`']").finditer(self._text, start, end):
            depth += 1 if quote.group() == "`" else -1
            if depth == 0:
                return quote.start(), quote.end()
        raise _Unreadable(start, "this quote ` is never closed by ': the file is cut off, or a ' is missing")

    def _one_line_call(self, start: int, end: int) -> int:
        """Return where a call ends; an unclosed one ends with its line."""
        closing = re.compile(r"[()\n]")
        depth = 0
        for match in closing.finditer(self._text, start, end):
            if match.group() == "\n":
                return match.start()
            depth += 1 if match.group() == "(" else -1
            if depth == 0:
                return match.end()
        return end

    def _arguments(self, position: int, end: int, call: int) -> Tuple[List[Tuple[int, int]], int]:
        """Return the arguments of a call, without their outer quotes, and where it ends."""
        arguments: List[Tuple[int, int]] = []
        begin = position
        depth = 1
        while position < end:
            character = self._text[position]
            if character == "`":
                position = self._quoted(position, end)[1]
                continue
            if character == "#":
                position = self._end_of_line(position, end)
                continue
            if character in "()":
                depth += 1 if character == "(" else -1
            if depth == 0 or (depth == 1 and character == ","):
                arguments.append(self._unquoted(begin, position))
                begin = position + 1
            position += 1
            if depth == 0:
                return arguments, position
        raise _Unreadable(call, "%s) is never closed: the file is cut off, or a ' or a ) is missing"
                          % self._text[call:self._text.index("(", call) + 1])

    def _unquoted(self, begin: int, end: int) -> Tuple[int, int]:
        """Return an argument without white space around it and without its quotes."""
        while begin < end and self._text[begin].isspace():
            begin += 1
        while begin < end and self._text[end - 1].isspace():
            end -= 1
        if begin < end and self._text[begin] == "`":
            inside, behind = self._quoted(begin, end)
            if behind == end:
                return begin + 1, inside
        return begin, end


def _branches(macro: str, arguments: Sequence[str], line: int) -> Iterator[Tuple[int, Conditions]]:
    """Yield the number of each argument of a macro that may contain rules, and its conditions.

    An unknown macro yields none: what it does with its arguments is unknown.
    """
    if macro not in _CONDITIONALS:
        return
    if macro == "ifelse":
        missed: Conditions = frozenset()
        for first in range(0, len(arguments) - 2, 3):
            name = "%s = %s" % (arguments[first], arguments[first + 1])
            yield first + 2, missed | {Condition(name, True)}
            missed |= {Condition(name, False)}
            if len(arguments) - first == 4:
                yield first + 3, missed
        return
    then = 0 if macro == "optional_policy" else 1
    # Whether an optional block is used depends on its requirements, which only the policy compiler knows.
    name = "%s in line %d" % (macro, line) if macro == "optional_policy" else arguments[0].strip()
    for number in (then, then + 1):
        if number < len(arguments):
            yield number, frozenset([Condition(name, (number == then) == (macro != "ifndef"))])
