"""The control plane of a release, written once against `World` and played in both worlds."""
