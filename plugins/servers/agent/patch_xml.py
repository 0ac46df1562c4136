"""Patching XML: the text or an attribute of elements; comments, order and spacing are kept.

A key names elements from the root on: ``Config.Port``, ``Config.*.Port``, ``Config.property[@name='Port']``. A value
``[name='…']`` sets that attribute, any other the element's text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .patch_values import Change, Value

_STEP: Final = re.compile(r"""(?:^|\.)((?:[^.\[\\]|\\.)+)((?:\[[^\]'"]*(?:'[^']*'|"[^"]*")?\])?)(?=\.|$)""", re.DOTALL)
_CONDITION: Final = re.compile(r"""\[@([\w:.-]+)=(?:'([^']*)'|"([^"]*)")\]""")
_ENTRY: Final = re.compile(r"\[(\d{1,6})\]")
_ATTRIBUTE: Final = re.compile(r"\[(\w[\w.-]*)='(.*)'\]", re.DOTALL)
_NAME: Final = re.compile(r"[^\W\d][\w.-]*")
_HEAD: Final = re.compile(r"(?:\s++|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>)*+", re.DOTALL)
"""What may stand before the outermost element; the parser forgets how it was spaced."""
EVERY: Final = "*"


@dataclass(frozen=True)
class Step:
    """One level of a key: elements of a name (``*``: any), those with an attribute, or the n-th from 0."""

    name: str
    attribute: tuple[str, str] | None = None
    entry: int | None = None

    def found(self, parent: Any) -> list[Any]:
        """The children of ``parent`` that it names."""
        named = [child for child in parent if isinstance(child.tag, str) and self.name in (EVERY, _local(child))]
        if self.attribute is not None:
            name, value = self.attribute
            return [child for child in named if child.get(name) == value]
        return named if self.entry is None else named[self.entry : self.entry + 1]


def edit_xml(text: str, values: Mapping[str, Change]) -> tuple[str, list[str]]:
    """Raises on a broken file, and on one that declares entities: they can make a small file huge, or read others."""
    root = _parsed(text) if text.strip() else None
    changed = False
    problems: list[str] = []
    for key, change in values.items():
        steps = _steps(key)
        if steps is None or (root is None and not _NAME.fullmatch(steps[0].name)):
            problems.append(f"“{key}” can't be set, because it doesn't name an element.")
            continue
        if root is None:
            if not isinstance(change, Value):
                continue
            root = _parsed(f"<{steps[0].name}/>")
        try:
            changed |= _set(root, steps, change)
        except LookupError as error:
            problems.append(f"“{key}” can't be set, because {error.args[0]}.")
        except ValueError:
            problems.append(f"“{key}” was left as it is: its value holds a character that XML can't have.")
    return (_written(root, text) if changed and root is not None else text), problems


def _parsed(text: str) -> Any:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    # As bytes: what the file says of its own encoding is not about text that has been decoded.
    body = re.sub(r"^\s*<\?xml[^>]*\?>", "", text, count=1)
    root = etree.fromstring(body.encode(), parser)
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and any(True for _ in declared.iterentities()):
        raise ValueError("it declares entities")
    return root


def _written(root: Any, before: str) -> str:
    from lxml import etree

    head = _HEAD.match(before)
    after = [etree.tostring(one, encoding="unicode", with_tail=False) for one in root.itersiblings()]
    new = "\n".join([etree.tostring(root, encoding="unicode", with_tail=False), *after])
    end = "\n" if before.endswith("\n") or not before else ""
    return (head[0] if head else "") + (f"{new}{end}".replace("\n", "\r\n") if "\r\n" in before else f"{new}{end}")


def _steps(key: str) -> list[Step] | None:
    """None for what is no path of elements."""
    steps = []
    end = 0
    for found in _STEP.finditer(key):
        step = _step(found[1].replace("\\.", "."), found[2])
        if found.start() != end or step is None:
            return None
        steps.append(step)
        end = found.end()
    return steps if steps and end == len(key) else None


def _step(name: str, brackets: str) -> Step | None:
    if name != EVERY and not _NAME.fullmatch(name):
        return None
    if not brackets:
        return Step(name)
    if entry := _ENTRY.fullmatch(brackets):
        return Step(name, entry=int(entry[1]))
    if condition := _CONDITION.fullmatch(brackets):
        return Step(name, attribute=(condition[1], condition[2] if condition[2] is not None else condition[3]))
    return None


def _set(root: Any, steps: list[Step], change: Change) -> bool:
    first, *rest = steps
    if first.name not in (EVERY, _local(root)):
        raise LookupError(f"the file's outermost element is “{_local(root)}”")
    elements = [root]
    made = False
    for step in rest:
        found = [child for element in elements for child in step.found(element)]
        if not found and isinstance(change, Value):
            found = [_made(element, step) for element in elements]
            made = True
        elements = found
    changes = [_change(element, change) for element in elements]
    return made or any(changes)


def _made(parent: Any, step: Step) -> Any:
    """A new last child, spaced like the others."""
    from lxml import etree

    if step.name == EVERY or step.entry:
        raise LookupError(f"“{_local(parent)}” has no such element")
    space = parent.tag[: parent.tag.index("}") + 1] if parent.tag.startswith("{") else ""
    last = parent[-1] if len(parent) else None
    child = etree.SubElement(parent, f"{space}{step.name}")
    if step.attribute is not None:
        child.set(*step.attribute)
    if last is not None:
        child.tail, last.tail = last.tail, parent.text
    return child


def _change(element: Any, change: Change) -> bool:
    if isinstance(change, Value) and (wanted := _ATTRIBUTE.fullmatch(change.text())):
        return _set_attribute(element, wanted[1], wanted[2])
    if any(isinstance(child.tag, str) for child in element):
        raise LookupError(f"“{_local(element)}” holds other elements")
    new = change.over(element.text or "")
    if new is None or new.text() == (element.text or ""):
        return False
    element.text = new.text()
    return True


def _set_attribute(element: Any, name: str, value: str) -> bool:
    if element.get(name) == value:
        return False
    element.set(name, value)
    return True


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
