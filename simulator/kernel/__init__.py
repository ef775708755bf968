"""The compiled data plane: one event loop over flat arrays (`loop.run`), owned by `plane.DataPlane`."""
