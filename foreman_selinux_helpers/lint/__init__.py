"""What is wrong with a package's file contexts, before it ships."""
