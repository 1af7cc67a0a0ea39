"""Trains small PyTorch models and records labelled traces of them."""
