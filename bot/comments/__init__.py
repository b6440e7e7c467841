"""Public comments: what is said under them, and who looks at them."""
