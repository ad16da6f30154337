"""Packages that stand for the host's and for the users of the helper; built with the real rpmbuild."""
