"""The charts of a report: each module draws what the section of the same name computed."""
