"""What a run showed: evidence, verdicts, the run record, and the views of it."""
