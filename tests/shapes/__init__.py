"""Tests of the little world."""
