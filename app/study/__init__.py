"""The page of a study, where annotators judge pairs of answers blind, and the page of its results.

page             both pages, put together
judging          what an annotator asks for and gets
assignment       who judges which item next, and which answer stands on the left
vote_store       where votes are kept; database, its tables; migrations, how the tables came to be
hub_vote_backup  a copy of the votes on the Hugging Face Hub
results_page     the page with the results; results, stats and summary, what it says

No model is here: a study's answers are prepared beforehand, by `sinktrack.study`.
"""
