"""What goes out to others than customers: webhooks to systems, mail to staff. Kept until delivered or given up."""
