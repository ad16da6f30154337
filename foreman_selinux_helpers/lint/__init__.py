"""Check a package's file contexts before it ships."""
