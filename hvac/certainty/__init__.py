"""How sure a risk is: its band, the machines that stand behind it, and when to say "needs a look"."""
