"""Many runs at once: which ones, in what order, and how they differ."""
