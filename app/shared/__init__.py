"""What both pages stand on: the model's engine, the settings, the machine, and what Gradio needs.

engine     the only module of the page that reaches models: one model, one answer at a time
request    what the engine is asked; events, what it says; downloads, the files that it makes
request_queue, heartbeat, stop_flag  who is served next, events by the clock, and how to end one
settings   what can be set, and which model a machine gets
machine    proxies, and folders of other users
ui         messages, heads and the server of a page; theme, its colours

Nothing here knows what a page shows: that is in `app.compare` and `app.study`.
"""
