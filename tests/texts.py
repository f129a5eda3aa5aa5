"""Text as users may give it: names, units, titles and columns that an output might obey instead of show."""

from hypothesis import strategies as st

HOSTILE = [
    "[/day]", "[mg/l]", "[link=javascript:alert(1)]kg[/link]", "[bold", ":smile:", "\x1b[31mred", "\x1b]8;;http://a\a",
    "\u202egnp.exe", "<script>alert(1)</script>", "&amp;", "</pre>", r"$\frac$", r"\$x$", "`code`", "a|b", "**b**",
    "{0}", "{task.fields}", "%s", "two\nlines", "\r\t\v\f\b\a\x00\x7f\x9b31m", "\udcff", "温度", "\U0001f600",
    "a\u0301", "\u00a0", "\u2028", "\u200b", "W" * 300, "-1 - 2", "_x",
]  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from([*HOSTILE[:-3], "x", " "]), max_size=4).map("".join),
    st.text(st.characters(), max_size=40),
)
