"""Conversations: read, checked, converted, split and rendered; pure functions, no torch."""
