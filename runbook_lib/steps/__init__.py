"""Observe, one module for each notebook: each step reaches the world through ports and returns evidence."""
