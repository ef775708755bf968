"""The data plane as flows: expected work, sampled answers. The model: docs/fluid-model.md; limits: docs/fluid.md."""
