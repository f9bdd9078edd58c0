"""Plugins for Ansible: how it reaches the machines of the tests."""
