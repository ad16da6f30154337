"""What things mean: values and judgements.  It reads and changes nothing, and imports nothing else of ours."""
