"""Reference values, and the runner that compares the package with them."""
