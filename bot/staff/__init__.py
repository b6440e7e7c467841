"""Who works here: accounts, roles, passwords, sessions, and what each of them did."""
