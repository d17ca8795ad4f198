"""What else one encoder is asked: of which behavior the next event is, when it comes, and of which value."""
