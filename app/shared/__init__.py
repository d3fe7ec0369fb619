"""What all pages stand on: the model's engine, the settings, the machine, and what Gradio needs.

engine     the only module of the page that reaches models: one model, one answer at a time
zero_gpu   how a ZeroGPU Space lends it a GPU; gpu_time, for how long

request        what the engine is asked; events, what it says; downloads, the files that it makes
survey         many questions, as the engine is asked; chance, what comes out of them
unfamiliar     what is said of pictures that the bundled model does not know
troubles       what goes wrong, as sentences; thumbnails, small pictures
methods        which methods are compared; checking, what can be said against a request
visitors       who asks; limits, how much one address may ask for; guesses, waits for who guesses
               codes
request_queue  who is served next, by their fair_shares; turns, work for the model in its turn
memory         too little of it
heartbeat      events by the clock
stop_flag      how an answer is told to end

ending   the end of a page: work under way ends or is cut; health, whether the page can work
logs     one line for each request that matters; headers, what stands around every answer
measures what is counted while a page runs; metrics, the same for Prometheus; owner, the same for
         the page's owner, whom owner_code knows, as owner_view draws it

forwarded  which proxies are believed
settings   what can be set, and which model a machine gets
machine    proxies, folders of other users, the folder of all that is written, freed memory
only_uploads  keeps every page from opening what was not uploaded to it; guards, what is refused
               before a page is reached; upload_limit, too many files; whole_uploads,
               files for which the disk has no room; tools, endpoints that models can call
visits         what each visitor has on a page that keeps nothing; about, what a page says it keeps;
               sessions, what Gradio remembers
ui         messages, heads and the server of a page; theme, its colours

Nothing here knows what a page shows: that is in `app.compare` and `app.study`.
"""
