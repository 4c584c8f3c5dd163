"""What a log line, a reply, a test name, a plan or an image name might hold to act on a reader."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

HOSTILE = (
    # scripts
    "</script><script>window.pwned=1</script>",
    "<ScRiPt>window.pwned='case'</sCrIpT>",
    "<script src=https://trap.test/s.js></script>",
    "</textarea></title></style><script>window.pwned='ends'</script>",
    "<!--><script>window.pwned='comment'</script-->",
    "<svg><script>window.pwned='svg'</script></svg>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "<template><script>window.pwned='template'</script></template>",
    '"}</script><script>window.pwned="json"</script>',
    "\\u003cscript\\u003ewindow.pwned='escaped'\\u003c/script\\u003e",
    # event handlers
    "<img src=x onerror=window.pwned=2>",
    "<svg/onload=window.pwned='onload'>",
    "<body onpageshow=window.pwned='show'>",
    "<details open ontoggle=window.pwned='toggle'>",
    "<input autofocus onfocus=window.pwned='focus'>",
    "<video><source onerror=window.pwned='source'></video>",
    "\" onmouseover=window.pwned='attribute' x=\"",
    "<a href=\"https://trap.test/\" onclick='window.pwned=3'>x</a>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.pwned='mxss'>",
    # what loads, leaves or hides
    "--><style>body{display:none}</style><base href=//trap.test>",
    "<meta http-equiv=refresh content=0;url=//trap.test>",
    "<link rel=stylesheet href=https://trap.test/c.css>",
    "<object data=https://trap.test/o></object><embed src=https://trap.test/e>",
    "<form action=https://trap.test/f><button id=verdict>next</button></form>",
    "<img id=figures name=plotly-bundle srcset=https://trap.test/i.png>",
    # links of Markdown
    "[click](javascript:window.pwned=4) ![i](https://trap.test/p.png) https://trap.test/auto",
    "[x]: javascript:window.pwned='reference'",
    "<javascript:window.pwned='auto'> www.trap.test",
    "[![badge](https://trap.test/b.svg)](https://trap.test/ \"title\")",
    "| a | b |\n# heading\n- [x] done `code` <svg/onload=window.pwned=6>",
    "```mermaid\ngraph TD; A-->B; click A \"javascript:window.pwned='mermaid'\"\n```",
    # LaTeX
    "$$x$$ and $\\href{javascript:window.pwned='tex'}{y}$",
    "\\(\\unicode{x1F4A9}\\) \\[\\require{html}\\class{pwned}{x}\\]",
    "\\begin{equation}\\def\\x{\\x\\x}\\x\\end{equation}",
    # terminals
    "\x1b[31mred\x1b[0m \x1b]8;;https://trap.test\x07link\x1b]8;;\x07 \u202egnp",
    "\x1b]0;pwned\x07 title and \x1b[2Jgone",
    "\x1b[8mconcealed\x1b[28m\r\x1b[1Aover",
    "\x9b31mone byte\x9bm \x07\x08\x00",
    # direction and what cannot be seen
    "user \u202egnp.exe\u202c \u2066sent\u2069 it",
    "ad\u200bmin \u200fmark\u200e \ufefforder",
    # templates
    "{{ 7*7 }}{% include '/etc/passwd' %}${window.pwned=5}",
    "{{constructor.constructor('window.pwned=7')()}} <%= 7*7 %> #{7*7}",
    "%{y}<extra></extra> %(name)s {0.__class__} $(touch pwned)",
    "=cmd|' /C calc'!A0",
    "\ufffd\ufffd broken text",
)  # fmt: skip
"""One act each; all would set `window.pwned` or ask trap.test for something."""

_WATCH = "window.alert = window.confirm = window.prompt = (words) => { window.pwned = `asked ${words}`; };"


def watch(page: Page) -> list[str]:
    """Begin to watch a page; the list fills with what it asked of trap.test and with its dialogs."""
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url) if "trap.test" in request.url else None)
    page.on("dialog", lambda dialog: seen.append(f"{dialog.type}: {dialog.message}"))
    page.add_init_script(_WATCH)
    return seen


def acted(page: Page, seen: list[str]) -> list[Any]:
    """Return what has acted in a page that was watched: nothing, if all is well."""
    own = page.evaluate("[window.pwned, document.title === 'pwned'].filter(Boolean)")
    return [*own, *seen]
