"""Sources of batches: one folder or module a component, found by entry point."""
