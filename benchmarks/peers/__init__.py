"""The same work done with other people's software, one module for each.

Each module imports its software inside its functions: without it, the rest still runs.
"""
