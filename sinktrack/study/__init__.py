"""Blind comparisons by people: a study's folder, and answers made beforehand or elsewhere.

The page where people judge, their votes and the results are not here: they are in `app.study`.
"""
