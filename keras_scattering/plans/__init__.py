"""Plans: what each transform computes, in pure Python and NumPy."""
