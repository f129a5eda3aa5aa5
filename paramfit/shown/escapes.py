"""Text of users in documents: every character that a language would obey is written as what it is."""

import re
from unicodedata import normalize

from paramfit.wording import visible

__all__ = ["latex_text", "markdown_text"]

_GREEK = "αβγδεϵζηθϑικλμνξπρςστυφϕχψωΓΔ∆ΘΛΞΠΣΥΦΨΩ"  # with the increment's sign
_GREEK_NAMES = (
    *("alpha", "beta", "gamma", "delta", "varepsilon", "epsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa"),
    *("lambda", "mu", "nu", "xi", "pi", "rho", "varsigma", "sigma", "tau", "upsilon", "varphi", "phi", "chi", "psi"),
    *("omega", "Gamma", "Delta", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
)
_SIGNS = "≤≥≈≠∞∂∑∏√⋅∙∈∝∼"
_SIGN_NAMES = (
    *("leq", "geq", "approx", "neq", "infty", "partial", "sum", "prod", "surd", "cdot", "cdot", "in", "propto", "sim"),
)
_OF_LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\symbol{34}",  # which the encoding OT1 has too
    "|": r"\textbar{}",
    **{letter: rf"\textsuperscript{{{digit}}}" for letter, digit in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺ⁿ", "0123456789+n", strict=True)},
    "⁻": r"\textsuperscript{\ensuremath{-}}",
    **{letter: rf"\textsubscript{{{digit}}}" for letter, digit in zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True)},
    **{letter: rf"\ensuremath{{\{name}}}" for letter, name in zip(_GREEK, _GREEK_NAMES, strict=True)},
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True)),  # the same in Latin
    "−": r"\ensuremath{-}",
    "′": r"\ensuremath{'}",
    "″": r"\ensuremath{''}",
    **{letter: rf"\ensuremath{{\{name}}}" for letter, name in zip(_SIGNS, _SIGN_NAMES, strict=True)},
}
_OF_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~$&])")  # within a line


def latex_text(text: str) -> str:
    r"""The text for LaTeX, outside of mathematics.

    pdflatex sets letters of Latin and Greek, and the signs of units; those of other scripts need XeLaTeX or LuaLaTeX.

    Example:
        >>> latex_text("50% of $x_1$")
        '50\\% of \\$x\\_1\\$'
    """
    # The signs of ohm, kelvin and ångström are letters in this form.
    return "".join(_OF_LATEX.get(letter, letter) for letter in normalize("NFC", visible(text)))


def markdown_text(text: str) -> str:
    r"""The text for Markdown, cells of tables included.

    Example:
        >>> markdown_text("a|b *c*")
        'a\\|b \\*c\\*'
    """
    return _OF_MARKDOWN.sub(r"\\\1", visible(text))
