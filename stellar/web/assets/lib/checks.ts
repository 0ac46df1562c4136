import { all, on } from "./dom";

/** Tick just the boxes with these values among those of `root`. */
export function setChecked(root: ParentNode, values: readonly string[]): void {
  const boxes = all<HTMLInputElement>("input[type=checkbox]", root);
  for (const box of boxes) box.checked = values.includes(box.value);
  boxes[0]?.dispatchEvent(new Event("change", { bubbles: true }));
}

/** The values of the ticked boxes in `root`. */
export function checkedIn(root: ParentNode): string[] {
  return all<HTMLInputElement>("input[type=checkbox]:checked", root).map((box) => box.value);
}

/** Buttons that tick all boxes of their group, or none when all are ticked. */
export function startChecks(): void {
  on("click", "[data-check-all]", (button) => {
    const group = button.closest("fieldset");
    if (!group) return;
    const values = all<HTMLInputElement>("input[type=checkbox]", group).map((box) => box.value);
    setChecked(group, checkedIn(group).length === values.length ? [] : values);
  });
}
