"""How a visitor is told a sentence."""

import html

import gradio as gr


def toast(sentence: str) -> gr.Error:
    """Return an error that shows a sentence as text; Gradio takes the message for HTML."""
    return gr.Error(html.escape(sentence), duration=12, print_exception=False)
