"""The demo shop: four real HTTP services, each a process of its own. See `app` for what they answer."""
