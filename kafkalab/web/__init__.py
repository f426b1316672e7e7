"""The REST API on topics, records and groups, and the page that shows them."""
