"""A Kubernetes control plane without containers, on this machine, for the tests of the `kubernetes` adapter."""
