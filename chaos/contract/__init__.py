"""Whether a new version keeps the old one's contract: OpenAPI documents compared, consumers' calls replayed."""
