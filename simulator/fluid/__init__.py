"""The data plane as flows: expected work, sampled answers. docs/fluid.md tells the model and its limits."""
