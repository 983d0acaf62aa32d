"""What makes a page usable by whoever cannot see it well, point well, or point at all.

Rules:
- axe (axe-core, by the lock of tests/node) runs with every rule of WCAG 2.0 to 2.2, A and AA, and
  its best practices. It is put into the page by the driver; the policy of the page stays as it is.
- What axe leaves undecided about contrast is a finding, too.
- What axe cannot know is asked of the browser: real Tab keys, real sizes, what is seen of a focus.

Each function returns its findings as sentences; no sentence, no finding. Scripts must be on.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from intake import zawgyi
from intake.settings import ROOT

AXE = ROOT / "tests" / "node" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
TARGET = 24  # CSS pixels: WCAG 2.2, 2.5.8
OUTLINE, CONTRAST = 2, 3.0  # CSS pixels, and against what is around: WCAG 2.2, 1.4.11
# In any language a title stands in a list of tabs, where others read it.
TELLING = (
    *("testimon", "army", "soldier", "police", "military", "letterbox", "intake", "whistle"),
    *("secret", "cdm", "defect", "witness", "စစ်", "တပ်", "ရဲ", "သက်သေ", "ထွက်ဆို", "လျှို့ဝှက်"),
)
_RUN = """
const [tags, done] = arguments;
const rules = {"target-size": {enabled: true}};
axe.run(document, {runOnly: tags, rules, resultTypes: ["violations", "incomplete"]}).then(found => {
  const told = kind => found[kind].filter(rule => kind == "violations" || /contrast/.test(rule.id))
    .map(rule => `${rule.id} (${rule.nodes.length}): ${rule.nodes[0].html.slice(0, 90)}`);
  done([...told("violations"), ...told("incomplete")]);
}, error => done([String(error)]));
"""
_CONTROLS = """
const controls = [...document.querySelectorAll(
  "a[href], button, input:not([type=hidden]), select, textarea, summary")]
  .filter(one => one.checkVisibility() && !one.disabled);
const name = one => one.outerHTML.split("\\n")[0].slice(0, 70);
"""
_SMALL = (
    _CONTROLS
    + """
const small = one => {
  const boxes = [one, ...(one.labels ?? [])].map(box => box.getBoundingClientRect());
  const size = side => Math.max(...boxes.map(box => box[side]));
  return size("width") < arguments[0] || size("height") < arguments[0];
};
return controls.filter(small).map(one => `smaller than a finger: ${name(one)}`);
"""
)
_PAGE = """
const found = [], all = css => [...document.querySelectorAll(css)];
const heads = all("h1, h2, h3, h4, h5, h6").filter(one => one.checkVisibility());
const first = heads.filter(one => one.tagName == "H1").length;
if (first != 1) found.push(`${first} h1`);
let last = 0;
for (const one of heads) {
  const level = Number(one.tagName[1]);
  if (level > last + 1) found.push(`h${last} is followed by ${one.outerHTML.slice(0, 70)}`);
  last = level;
}
for (const one of all("form"))
  if (one.autocomplete != "off") found.push("a form that the browser would remember");
for (const one of all("input[type=text], textarea"))
  if (arguments[0].includes(one.name) && one.inputMode != "numeric")
    found.push(`no keyboard of digits: ${one.name}`);
for (const one of all("[tabindex]"))
  if (one.tabIndex > 0) found.push(`out of turn: ${one.outerHTML.slice(0, 70)}`);
for (const one of all("script, iframe, object, embed, video, audio, svg, math, img"))
  found.push(`Safest shows no ${one.tagName}`);
return found;
"""
_START = (
    _CONTROLS
    + """
document.body.tabIndex = -1;
document.body.focus();
document.body.removeAttribute("tabindex");
const stops = controls.filter(one => {
  if (one.type != "radio") return true;
  const group = controls.filter(other => other.type == "radio" && other.name == one.name);
  return one == (group.find(other => other.checked) ?? group[0]);
});
window.stops = stops;
return stops.map(name);
"""
)
_FOCUS = """
const one = document.activeElement, style = getComputedStyle(one);
const box = one.getBoundingClientRect();
const top = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height / 2, 20));
const inside = top && (one.contains(top) || top.contains(one)
  || [...(one.labels ?? [])].some(label => label.contains(top)));
let around = one.parentElement ?? one;
while (around.parentElement && getComputedStyle(around).backgroundColor == "rgba(0, 0, 0, 0)")
  around = around.parentElement;
return {at: window.stops.indexOf(one), body: one == document.body,
  width: style.outlineStyle == "none" ? 0 : parseFloat(style.outlineWidth), seen: Boolean(inside),
  colours: [style.outlineColor, getComputedStyle(around).backgroundColor]};
"""


@cache
def _axe() -> str:
    return AXE.read_text(encoding="utf-8")


def axe(browser: webdriver.Chrome) -> list[str]:
    """Return what axe says of the page as it stands."""
    if not browser.execute_script("return 'axe' in window"):
        browser.execute_script(_axe())
    return list(browser.execute_async_script(_RUN, TAGS))


def small(browser: webdriver.Chrome) -> list[str]:
    """Return what is too small for a finger, with its label."""
    return list(browser.execute_script(_SMALL, TARGET))


def structure(browser: webdriver.Chrome, *numbers: str) -> list[str]:
    """Return what is wrong with headings, forms, the title, and what Safest would not show.

    The fields called ``numbers`` must bring up a keyboard of digits.
    """
    found = list(browser.execute_script(_PAGE, numbers))
    title = browser.title.casefold()
    read = title + zawgyi.to_unicode(title)  # be it Unicode or Zawgyi
    found += [f"the title tells: {word}" for word in TELLING if word in read]
    return found if title else [*found, "no title"]


def keyboard(browser: webdriver.Chrome) -> list[str]:
    """Press Tab from the top to the end; return what is left out, out of turn, hidden or unseen."""
    found: list[str] = []
    for number, name in enumerate(browser.execute_script(_START)):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        focus: dict[str, Any] = browser.execute_script(_FOCUS)
        if focus["at"] != number:
            return [*found, f"Tab does not reach, or not in turn: {name}"]
        if focus["width"] < OUTLINE or contrast(*focus["colours"]) < CONTRAST:
            found.append(f"focus is not seen on {name}")
        if not focus["seen"]:
            found.append(f"something covers {name}")
    ActionChains(browser).send_keys(Keys.TAB).perform()
    after: dict[str, Any] = browser.execute_script(_FOCUS)
    if not after["body"] and after["at"] != 0:
        found.append("Tab does not leave the page")
    return found


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as CSS computes them (WCAG 2.2, relative luminance)."""
    light, dark = sorted(map(_luminance, (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
