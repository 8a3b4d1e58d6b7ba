"""Mistral's fine-tuning API on a machine of one's own."""
