"""MistralTune: from a JSONL file to a fine-tuned, evaluated Mistral model."""

__version__ = "0.1.0"
