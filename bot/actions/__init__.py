"""Custom actions: what the rules cannot say by themselves.

Each is a rasa-sdk action without constructor arguments. Facts come in the message's metadata (`facts`), what shall be
done goes out as commands (`bot.engine.commands`); no action touches the database.
"""
