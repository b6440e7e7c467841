"""What is reached over HTTP: the server, webhooks, the web chat, pages behind signed links."""
