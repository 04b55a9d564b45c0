"""What tests share: counterparts to talk to, worlds to act on, and what is measured."""
