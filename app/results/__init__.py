"""The page on what `sinktrack eval` wrote: tables, a figure, and the items where methods differ.

page      the page, put together
browsing  what a visitor asks for and gets
tables    a run's figures and conditions, ready to be drawn
changes   how one method's answers differ from another's
asked     what an item was asked about, made again by its task

No model is here, and nothing is measured: `sinktrack.eval` has done so.
"""
