"""Why a token of an answer is what it is, worked out when somebody asks.

Each module answers one question about a comparison that is there already, by letting the model
write the same words again. Nothing here knows a page, a report or a file.
"""
