/** What the browser code of every plugin may use: `import { api } from "@stellar/web"`. */
export { api, apiPath, Problem, type Method } from "./api";
export { checkedIn, setChecked } from "./checks";
export { confirmDialog, openDialog, promptDialog } from "./dialog";
export { all, element, icon, one, on, type Attributes } from "./dom";
export { clock, duration, monthDay, relative, size, timeOfDay } from "./format";
export { fieldValues, showProblem } from "./forms";
export { fetchContent, putContent } from "./raw";
export { Sparkline } from "./sparkline";
export { toast } from "./toast";
export { onTick, refresh } from "./tick";
