"""The assistant that Earful ships: a Rasa 3.1 project, and beside it what Rasa has no format for.

Everything here is content, meant to be copied and changed; `content` reads what is not Rasa's.
"""
