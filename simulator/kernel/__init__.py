"""The compiled data plane: one event loop over flat arrays (`loop.kernel`), owned by `plane.DataPlane`."""
