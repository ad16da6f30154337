"""What a compiled policy in a file allows, according to audit2why (libselinux), which needs no SELinux here."""

from ..model.typed import Any, Optional
from .selinuxlib import Why, why_of
from .stderr import standard_error_kept


class PolicyFile:
    """One compiled policy; libselinux can only open one at a time."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._audit2why: Any = None
        self.fault: Optional[str] = None

    def close(self) -> None:
        """Free the memory."""
        if self._audit2why is not None:
            self._audit2why.finish()
            self._audit2why = None

    def allowed(self, source: str, target: str, file_class: str, permission: str) -> Optional[bool]:
        """Return whether a permission is allowed, or None if the policy lacks one of the names."""
        answer = self._analysed(source, target, file_class, permission)
        if answer is None:
            return None
        if answer[0] in (self._audit2why.ALLOW, self._audit2why.DONTAUDIT):
            return bool(answer[0] == self._audit2why.ALLOW)
        return False if why_of(self._audit2why, *answer) else None

    def why_denied(self, source: str, target: str, file_class: str, permission: str) -> Optional[Why]:
        """Return why a permission is denied, or None if that is unknown."""
        answer = self._analysed(source, target, file_class, permission)
        return why_of(self._audit2why, *answer) if answer else None

    def _analysed(self, source: str, target: str, file_class: str, permission: str) -> Any:
        if not self._opened():
            return None
        with standard_error_kept():
            try:
                return self._audit2why.analyze(source, target, file_class, [permission])
            except (RuntimeError, ValueError, TypeError, OSError):
                return None

    def _opened(self) -> bool:
        if self._audit2why is None and self.fault is None:
            try:
                from selinux import audit2why

                with standard_error_kept():
                    audit2why.init(self._file)
                self._audit2why = audit2why
            except ImportError:
                self.fault = "the Python binding of libselinux is missing here"
            except (RuntimeError, ValueError, OSError, SystemError) as error:
                self.fault = "the policy cannot be read: %s" % error
        return self._audit2why is not None
