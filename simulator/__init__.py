"""The world of virtual time: a SimPy control plane over a compiled data plane."""
