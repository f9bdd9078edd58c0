"""Tests on booted machines with systemd: make system-test."""
