"""The embedded staging: real Envoy, Toxiproxy, PostgreSQL and a demo shop, on loopback, without root."""
