"""The kernel side: loading the eBPF program, attaching it, and reading what it sends."""
