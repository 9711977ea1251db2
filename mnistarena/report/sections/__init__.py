"""The sections of a report: each module computes what a section shows and the sentence it begins with."""
