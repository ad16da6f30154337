"""Values and judgements: pure code that reads and changes nothing outside, and imports only from this package."""
