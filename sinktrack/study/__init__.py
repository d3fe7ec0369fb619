"""Blind comparisons by people: a study's folder, and the answers made beforehand.

The page where people judge, their votes and the results are not here: they are in `app.study`.
"""
