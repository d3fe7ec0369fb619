"""The page that compares: one question, and the answers of several methods side by side.

page           the layout, and what is connected to what
handlers       what happens on Ask and on Stop; inputs, what a visitor has set, by name
controls       the left column: picture, question, settings; examples, pictures to begin with
method_inputs  what is compared: the picker of methods, with their parameters
talk           the conversation so far; talk_controls, its place in the left column
uploads        the inputs for files, which take nothing but uploads
scene_pad      the pad on which scenes are drawn; scene_questions, what is asked about them
known_answers  right answers to questions about what was made here
chance         many questions, below the answers; surveys, what they are; kinds_asked and
               question_files, where they come from
api            what programs can call; about, what the page says it keeps
viewer         the viewer of `sinktrack.report.viewer` as a Gradio component; stage, what it shows

The model is not here: `app.shared.engine` has it. Votes are not here: they are in `app.study`.
"""
