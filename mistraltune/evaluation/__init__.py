"""Metrics, intervals, evaluation, comparison and their report."""
