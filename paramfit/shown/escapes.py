"""Text of users in documents: every character that a language would obey is written as what it is."""

import re
from collections.abc import Iterable
from unicodedata import normalize

from paramfit.wording import visible

__all__ = ["GREEK_COMMANDS", "latex_engine", "latex_text", "markdown_text"]

_GREEK = "αβγδεϵζηθϑικλμνξπρςστυφϕχψωΓΔ∆ΘΛΞΠΣΥΦΨΩ"  # with the increment's sign
_GREEK_NAMES = (
    *("alpha", "beta", "gamma", "delta", "varepsilon", "epsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa"),
    *("lambda", "mu", "nu", "xi", "pi", "rho", "varsigma", "sigma", "tau", "upsilon", "varphi", "phi", "chi", "psi"),
    *("omega", "Gamma", "Delta", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
)
GREEK_COMMANDS = {letter: f"\\{name}" for letter, name in zip(_GREEK, _GREEK_NAMES, strict=True)}
"""LaTeX of each letter, in mathematics."""
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
    **{letter: rf"\ensuremath{{{command}}}" for letter, command in GREEK_COMMANDS.items()},
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True)),  # the same in Latin
    "−": r"\ensuremath{-}",
    "′": r"\ensuremath{'}",
    "″": r"\ensuremath{''}",
    **{letter: rf"\ensuremath{{\{name}}}" for letter, name in zip(_SIGNS, _SIGN_NAMES, strict=True)},
}
# What pdflatex knows as it is, in its own encoding OT1 and without a package: these, and most letters with an accent.
_OF_PDFLATEX = frozenset("\xa0¡¢£¤¥¦§¨©ª¬®¯°±²³´µ¶·¸¹º¼½¾¿Æ×Øßæ÷øıĲĳŁłŒœ–—‘’“”†‡•…‰€℃№™←↑→↓ǍǎǏǐǑǒǓǔǦǧǨǩǰǴǵȘșȚțȲȳ")
_ACCENTED = ("À", "ž")  # the first and the last
_OGONEK = "\u0328"
_MOST_SHOWN = 12  # letters that are named
_OF_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~$&])")  # within a line


def latex_text(text: str) -> str:
    r"""The text for LaTeX, outside of mathematics.

    pdflatex sets letters of Latin and Greek, and the signs of units; those of other scripts need LuaLaTeX or XeLaTeX
    (``latex_engine``).

    Example:
        >>> latex_text("50% of $x_1$")
        '50\\% of \\$x\\_1\\$'
    """
    # The signs of ohm, kelvin and ångström are letters in this form.
    return "".join(_OF_LATEX.get(letter, letter) for letter in normalize("NFC", visible(text)))


def latex_engine(lines: Iterable[str]) -> list[str]:
    r"""A comment that names what sets these lines of LaTeX, where pdflatex does not know all their letters.

    Example:
        >>> latex_engine([r"\text{время}", "% Я"])
        ['% for LuaLaTeX or XeLaTeX, with a font that has вемря: pdflatex does not set them']
    """
    letters = {letter for line in lines if not line.startswith("%") for letter in line}
    beyond = "".join(sorted(letter for letter in letters if not _of_pdflatex(letter)))
    if not beyond:
        return []
    shown = beyond if len(beyond) <= _MOST_SHOWN else f"{beyond[:_MOST_SHOWN]} and others"
    return [f"% for LuaLaTeX or XeLaTeX, with a font that has {shown}: pdflatex does not set them"]


def _of_pdflatex(letter: str) -> bool:
    if letter.isascii() or letter in _OF_PDFLATEX:
        return True
    parts = normalize("NFD", letter)  # the letter and its accents
    return _ACCENTED[0] <= letter <= _ACCENTED[1] and len(parts) > 1 and parts[0].isascii() and _OGONEK not in parts


def markdown_text(text: str) -> str:
    r"""The text for Markdown, cells of tables included.

    Example:
        >>> markdown_text("a|b *c*")
        'a\\|b \\*c\\*'
    """
    return _OF_MARKDOWN.sub(r"\\\1", visible(text))
