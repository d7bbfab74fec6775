"""What the library costs, beside what others cost for the same work: `make bench`."""
