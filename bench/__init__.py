"""What Compass costs, measured on a real application: `make bench` writes docs/benchmarks.md."""
