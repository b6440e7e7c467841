"""Who holds a conversation: the bot, the queue, or a person. `rules` is pure."""
