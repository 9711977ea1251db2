"""The run folder: every path and file format in it; nothing else knows them."""
