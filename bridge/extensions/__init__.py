"""Components beside the data: health, authentication. One module a component."""
