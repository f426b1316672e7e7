"""The reference components, one file for each task: the code that the component facts judge."""
