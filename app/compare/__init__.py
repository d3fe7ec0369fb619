"""The page that compares: one question, and the answers of several methods side by side.

page           the layout, and what is connected to what
handlers       what happens on Ask and on Stop; inputs, what a visitor has set, by name
controls       the left column: picture, question, settings; examples, pictures to begin with
method_inputs  what is compared: the picker of methods, with their parameters
talk           the conversation so far; talk_controls, its place in the left column
uploads        the inputs for files, which take nothing but uploads
viewer         the viewer of `sinktrack.report.viewer` as a Gradio component; stage, what it shows

The model is not here: `app.shared.engine` has it. Votes are not here: they are in `app.study`.
"""
