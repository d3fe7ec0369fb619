"""Blind comparisons by people: what is judged, and the answers made beforehand."""
