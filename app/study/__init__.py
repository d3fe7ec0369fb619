"""The page of a study, where annotators judge pairs of answers blind, and the page of its results.

page             both pages, put together
judging          what an annotator asks for and gets
codes            the codes of a study, and those that bind names to people
assignment       who judges which item next, and which answer stands on the left
vote_store       where votes are kept; database, its tables; migrations, how the tables came to be
apart            votes on answers that have changed since; withdrawal, votes that somebody wants
                 deleted; uncounted, what is said of both
hub_vote_backup  a copy of the votes on the Hugging Face Hub
results_page     the page with the results; results, the figures, and summary, what is said of them
running          what the coordinator does there
stats            win rates, tests, agreement; ranking, more than two methods, with ranking_figure;
                 quality, how each annotator votes; disagreement, the items they see differently
own_questions    what a study asks beside the built-in questions
about            what the page says it keeps
methods_section  a paragraph for a paper; wording, figures as text

No model is here: a study's answers are prepared beforehand, by `sinktrack.study`.
"""
