"""A comparison as data, as one HTML file, and as a file that can be run again.

`viewer/` draws what `payload` holds, in the report and on the page alike. No model is run here.
"""
