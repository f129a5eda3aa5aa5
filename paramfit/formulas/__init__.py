"""From the text of a formula to torch functions of its value and derivatives."""
