"""Descents from signals to signals of given coefficients: objective, starts, optimisers."""
