"""Talk to the chat service as its users do: log in, connect, ask, and say exactly what came back."""
