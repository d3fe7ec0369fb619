"""The page's colours and type."""

import gradio as gr
from gradio.themes.utils.colors import Color

_TEAL = Color(
    *("#eef7f5", "#d8ece8", "#b3dad3", "#83c3b9", "#4fa79b", "#2a8a7f"),
    *("#0b6b63", "#0a5952", "#094843", "#083a36", "#052522"),
    name="teal",
)
_STONE = Color(
    *("#fafaf7", "#f3f4f1", "#e0e4e1", "#c9cfcc", "#96a09f", "#6b777a"),
    *("#4d595e", "#37424a", "#252d32", "#171c20", "#101417"),
    name="stone",
)
_FONTS = ("-apple-system", "Segoe UI", "Inter", "Roboto", "Liberation Sans", "sans-serif")
_MONO = ("ui-monospace", "SF Mono", "Cascadia Mono", "Liberation Mono", "monospace")


def theme() -> gr.themes.Base:
    """Return the page's colours and type, for light and dark."""
    look = gr.themes.Base(
        primary_hue=_TEAL, secondary_hue=_TEAL, neutral_hue=_STONE, font=_FONTS, font_mono=_MONO
    )
    return look.set(
        body_background_fill="#f6f6f2",
        body_background_fill_dark="*neutral_950",
        body_text_color="#1b2327",
        body_text_color_dark="#e9ecea",
        body_text_color_subdued="#58646a",
        body_text_color_subdued_dark="#a3aeb2",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="#2c353a",
        block_border_width="1px",
        block_radius="12px",
        block_shadow="none",
        block_title_text_color="*body_text_color",
        block_title_text_weight="600",
        block_label_background_fill="transparent",
        block_label_border_width="0px",
        input_background_fill="*neutral_50",
        input_background_fill_dark="#1f262b",
        input_border_color_focus="*primary_600",
        input_border_color_focus_dark="*primary_300",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_300",
        button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color="white",
        button_primary_text_color_dark="*primary_950",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        slider_color="*primary_600",
        slider_color_dark="*primary_300",
        checkbox_background_color_selected="*primary_600",
        checkbox_background_color_selected_dark="*primary_400",
        checkbox_label_background_fill_selected="*primary_50",
        checkbox_label_background_fill_selected_dark="*primary_900",
    )
