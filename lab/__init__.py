"""The laboratory: private servers for the tests, the demo and the benchmarks. Not part of the package."""
