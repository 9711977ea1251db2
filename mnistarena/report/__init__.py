"""A run as a page: figures and sentences computed from the run folder, rendered as HTML and Markdown."""
