"""Find the spelling in which a rule matches on each target, and report rules in another spelling.  Pure."""

from ..model.equivalence import Equivalences, Substitution
from ..model.filecontexts import escape, literal
from ..model.typed import Callable, Dict, List, Sequence, Tuple
from .fcsource import Conditions
from .regexes import directory_of
from .rules import LintedRule
from .targets import Target

# The result of a substitution may be substituted again.  A longer chain than this is a loop.
_LONGEST_CHAIN = 8


def settled(path: str, equivalences: Equivalences) -> Tuple[str, List[Substitution]]:
    """Return the spelling of a path that libselinux does not substitute, and the substitutions that lead to it.

    A look-up applies each file once, so the result may stand for yet another path, which is where the file really is
    (``/var/run/lock`` on Debian).  If there is no such spelling, return the path itself.
    """
    spelling = path
    used: List[Substitution] = []
    for _ in range(_LONGEST_CHAIN):
        following, steps = equivalences.explain(spelling)
        if following == spelling:
            return spelling, used
        spelling, used = following, used + steps
    return path, []


class Spellings:
    """The spelling of each rule on each release of the targets; the releases of one target may differ."""

    def __init__(self, rules: Sequence[LintedRule], targets: Sequence[Target]) -> None:
        self._rules = rules
        self._targets = targets
        self._directories = [directory_of(rule.mended) for rule in rules]
        # By number of the rule, then by release.
        self._spelt: Dict[int, Dict[str, str]] = {}
        self._known: Dict[str, Dict[str, str]] = {}
        self._equivalences = dict(release for target in targets for release in target.releases())

    def spell(self, there: "Dict[int, Conditions]", target: Target) -> None:
        """Record the spellings of the rules that a target has."""
        for release, equivalences in target.releases():
            known = self._known.setdefault(release, {})
            for number in there:
                regex, directory = self._rules[number].mended, self._directories[number]
                if directory not in known:
                    known[directory] = _looked_up(directory, equivalences)
                self._spelt.setdefault(number, {})[release] = _respelt(regex, directory, known[directory])

    def on(self, number: int, release: str) -> str:
        """Return the spelling that matches on a release."""
        return self._spelt[number][release]

    def right(self, number: int, target: Target) -> bool:
        """Return whether a rule has the right spelling for all releases of a target."""
        own, spelt = self._rules[number].mended, self._spelt[number]
        return all(spelt[release] == own for release, _ in target.releases())

    def all(self, number: int) -> List[str]:
        """Return all spellings of a rule, that of the file first."""
        own, spelt = self._rules[number].mended, self._spelt[number]
        return self._closed(sorted(spelt.values(), key=lambda regex: regex != own), list(spelt))

    def of_path(self, path: str) -> List[str]:
        """Return the regexes that together match one path on all releases."""
        return self._closed([escape(settled(path, equivalences)[0]) for equivalences in self._equivalences.values()],
                            list(self._equivalences))

    def _closed(self, regexes: Sequence[str], releases: Sequence[str]) -> List[str]:
        """Add the spellings of the spellings: the result on one release may be substituted on another."""
        spellings = list(dict.fromkeys(regexes))
        for regex in spellings:
            directory = directory_of(regex)
            spelt = [_respelt(regex, directory, _looked_up(directory, self._equivalences[release]))
                     for release in releases]
            spellings += [spelling for spelling in dict.fromkeys(spelt) if spelling not in spellings]
        return spellings

    def dead(self, number: int, target: Target, is_there: Callable[[str], bool]) -> List[str]:
        """Return why a rule does not match on a target; one reason for all its releases if they agree.

        ``is_there`` returns whether the file also has the rule in the given spelling; then both are right.
        """
        path = literal(self._directories[number]) or self._directories[number]
        reasons: Dict[str, List[str]] = {}
        for release, equivalences in target.releases():
            spelt = self.on(number, release)
            if spelt != self._rules[number].mended and not is_there(spelt):
                reasons.setdefault(_reason(path, equivalences), []).append(release)
        agreed = len(reasons) == 1 and all(len(releases) == 1 + len(target.earlier) for releases in reasons.values())
        elsewhere = self._elsewhere(number)
        return [("" if agreed else "on %s " % ", ".join(
            target.newest if release == target.name else release for release in releases)) + reason + elsewhere
            for reason, releases in reasons.items()]

    def is_the_link(self, number: int, target: Target) -> bool:
        """Return whether the rule is for a symbolic link that is substituted: it has no other spelling."""
        directory = self._directories[number]
        path = literal(directory) or directory
        used = target.equivalences.explain(path)[1]
        return directory == self._rules[number].mended and bool(used) and path == used[0].source

    def _elsewhere(self, number: int) -> str:
        """Return where else a rule matches that does not match on one release, and what may make it match."""
        own, spelt = self._rules[number].mended, self._spelt[number]
        alive: List[str] = []
        for target in self._targets:
            if spelt.get(target.name) == own:
                alive.append(target.name)
            else:
                alive += [release for release, _ in target.earlier if spelt.get(release) == own]
        words = ""
        if alive:
            words = "; on %s it matches: write both spellings, the unused one does no harm" % ", ".join(alive)
        converted = [target.name for target in self._targets if target.converts_var_run
                     and spelt.get(target.name, own) != own]
        regex = self._rules[number].written.regex
        if converted and regex.startswith("/var/run"):
            words += "; on %s an update of selinux-policy or of a policy module may run varrun-convert.sh, which " \
                "copies it to /run (module extra_varrun, priority 400)%s: then it matches" % (
                    ", ".join(converted), " without its backslashes" if "\\" in regex else "")
        return words


def _looked_up(directory: str, equivalences: Equivalences) -> str:
    path = literal(directory) or directory
    right = settled(path, equivalences)[0] if path else path
    return directory if right == path else escape(right.rstrip("/"))


def _respelt(regex: str, directory: str, right: str) -> str:
    """Replace the leading directories of a regex; the root directory is the empty string."""
    return regex if right == directory else right + regex[len(directory):] or "/"


def _reason(path: str, equivalences: Equivalences) -> str:
    steps = " and ".join("%s stands for %s" % (step.source, step.target) for step in settled(path, equivalences)[1])
    # A path in the chroot of named stands for the one outside, but no author means that.
    asked = [spelling for spelling in equivalences.spellings(path) if "/chroot/" not in spelling]
    if asked:
        return "%s, so libselinux looks for a path that this rule matches only when asked for %s" % (
            steps, " or ".join(asked))
    return "%s, so libselinux never looks for a path that this rule matches" % steps
