"""Previews of all mail with sample data, shown at `/dev/mail/`."""
