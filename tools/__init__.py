"""What the Makefile and the packages are built with."""
