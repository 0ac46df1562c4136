/** Loaded on every page. */
import Alpine from "@alpinejs/csp";
import "htmx.org";

import { startActions } from "./lib/actions";
import { startScheme } from "./lib/scheme";
import { startTicking } from "./lib/tick";
import { startTimes } from "./lib/times";

startScheme();
startActions();
startTimes();
startTicking();
// Page modules come after this one and register their components first.
document.addEventListener("DOMContentLoaded", () => Alpine.start());
