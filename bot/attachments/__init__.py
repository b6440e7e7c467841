"""Files that customers and staff send each other: what is taken, how it is kept, and how it is handed out."""
