"""The node agent: its link to the panel and everything that plugins add to it."""
