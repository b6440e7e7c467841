"""People we talk with: their consent, their language, and what of them must not be written down.

`rules` is consent and language; `masking` hides personal data; `service` knows a customer by the business system's id.
"""
